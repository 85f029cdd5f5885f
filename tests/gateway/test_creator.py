"""Creating: once, all or none, one clear answer each, whatever races."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest.mock import Mock
from uuid import UUID

import pytest
import uvloop
from google.protobuf.timestamp_pb2 import Timestamp
from prometheus_client import CollectorRegistry

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway import creator
from taskwire_shared.bus.bells import Bell, QueueNews
from taskwire_shared.bus.rings import Ringer
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.task import NewTask
from taskwire_shared.store.creations import Creation, Creations
from taskwire_shared.store.database import Database
from taskwire_shared.telemetry.metrics import GatewayMetrics

SECONDS = 10


def _request(text="same", *, task_id="", key="", **fields):
    task = task_pb2.Task(**{"type": "echo", "input": task_pb2.Payload(text=text), **fields})
    return pb.CreateTaskRequest(task=task, task_id=task_id, idempotency_key=key)


def _task():
    return NewTask(id=new_id(), tenant="default", queue="mail", type="send", request_hash=bytes(16))


async def _count(url):
    async with Database.open(url) as db:
        return tuple(await db.fetchrow("SELECT (SELECT count(*) FROM tasks), (SELECT count(*) FROM task_events)"))


async def test_the_response_is_what_was_stored(api):
    task = task_pb2.Task(
        queue="mail",
        type="echo",
        priority=task_pb2.TASK_PRIORITY_HIGH,
        labels={"b": "2", "a": "1"},
        schedule_time=Timestamp(seconds=4_000_000_000 // 2, nanos=123_456_789),
        expire_time=Timestamp(seconds=4_000_000_000),
        retry_policy=task_pb2.RetryPolicy(max_attempts=7),
    )
    task.schedule_time.GetCurrentTime()
    task.schedule_time.seconds += 3600
    created = (await api.tasks.CreateTask(pb.CreateTaskRequest(task=task))).task
    assert (created.state, created.version, created.done) == (task_pb2.TASK_STATE_SCHEDULED, 1, False)
    assert created.create_time == created.update_time
    got = await api.get(created.id)
    assert got.wait_reason == task_pb2.WAIT_REASON_SCHEDULED
    got.ClearField("wait_reason")
    assert got == created


async def test_a_task_due_in_the_past_is_ready_at_once(api):
    created = await api.create(schedule_time=Timestamp(seconds=1))
    assert created.state == task_pb2.TASK_STATE_PENDING


@pytest.mark.parametrize("named", ["task_id", "key"])
async def test_p2_a_repeated_create_gives_the_first_task_as_it_is_now(api, worker, named):
    name = {named: str(new_id()) if named == "task_id" else "order-7"}
    first = await api.tasks.CreateTask(_request(labels={"a": "1", "b": "2"}, **name))
    assert not first.deduplicated
    (fence,) = await worker.claim(UUID(first.task.id))
    again = await api.tasks.CreateTask(_request(labels={"b": "2", "a": "1"}, **name))
    assert again.deduplicated
    assert (again.task.id, again.task.state, again.task.version) == (first.task.id, task_pb2.TASK_STATE_RUNNING, 2)
    await worker.succeed(fence)
    again = await api.tasks.CreateTask(_request(labels={"a": "1", "b": "2"}, **name))
    assert (again.task.done, again.task.HasField("output")) == (True, False)


@pytest.mark.parametrize("named", ["task_id", "key"])
@pytest.mark.parametrize(
    "other",
    [
        {"text": "other"},
        {"type": "other"},
        {"priority": 3},
        {"labels": {"a": "1"}},
        {"expire_time": Timestamp(seconds=4_000_000_000)},
        {"schedule_time": Timestamp(seconds=1)},
        {"retry_policy": task_pb2.RetryPolicy(max_attempts=2)},
        {"input": task_pb2.Payload(binary=b"same")},
        {"input": task_pb2.Payload(text="same", content_type="text/plain")},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_p2_a_name_with_other_content_is_a_conflict(shared_create, refused, named, other):
    api, url = shared_create
    name = {named: str(new_id()) if named == "task_id" else f"key-{new_id()}"}
    first = await api.tasks.CreateTask(_request(**name))
    before = await _count(url)
    refusal = await refused(api.tasks.CreateTask(_request(**{**other, **name})))
    assert (refusal.code, refusal.reason) == ("ALREADY_EXISTS", "TASK_CONFLICT")
    assert refusal.metadata == {"task_id": first.task.id}
    assert await _count(url) == before


@pytest.fixture(scope="module")
async def shared_create(shared_gateway):
    async with shared_gateway("create") as (api, url):
        yield api, url


async def test_p2_50_racing_creates_with_one_key_make_one_task(api, database_url):
    answers = await asyncio.gather(*(api.tasks.CreateTask(_request(key="one")) for _ in range(50)))
    assert len({answer.task.id for answer in answers}) == 1
    assert sum(not answer.deduplicated for answer in answers) == 1
    assert await _count(database_url) == (1, 1)


async def test_p2_racing_creates_of_two_gateways_make_one_task(gateway, database_url):
    async with gateway() as one, gateway() as two:
        task_id = str(new_id())
        answers = await asyncio.gather(
            *(api.tasks.CreateTask(_request(task_id=task_id)) for _ in range(20) for api in (one, two))
        )
        assert {answer.task.id for answer in answers} == {task_id}
        assert sum(not answer.deduplicated for answer in answers) == 1
        assert await _count(database_url) == (1, 1)


async def test_p2_racing_creates_with_other_contents_have_one_winner(api, database_url):
    calls = [api.tasks.CreateTask(_request(f"text {number % 2}", key="one")) for number in range(20)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    created = [answer for answer in answers if not isinstance(answer, Exception)]
    assert len(created) == 10
    assert len({answer.task.id for answer in created}) == 1
    assert {answer.code().name for answer in answers if isinstance(answer, Exception)} == {"ALREADY_EXISTS"}
    assert await _count(database_url) == (1, 1)


async def test_p2_two_items_of_a_batch_with_one_id_are_one_task(api, database_url):
    task_id = str(new_id())
    requests = [_request(task_id=task_id), _request("x"), _request(task_id=task_id), _request("y", key="k")]
    requests += [_request("y", key="k")]
    response = await api.tasks.BatchCreateTasks(pb.BatchCreateTasksRequest(requests=requests))
    assert [item.deduplicated for item in response.responses] == [False, False, True, False, True]
    assert response.responses[0].task == response.responses[2].task
    assert response.responses[3].task == response.responses[4].task
    assert await _count(database_url) == (3, 3)


async def test_p2_two_items_of_a_batch_with_one_id_and_other_contents_refuse_it(api, refused, database_url):
    task_id = str(new_id())
    requests = [_request("x"), _request("a", task_id=task_id), _request("b", task_id=task_id)]
    refusal = await refused(api.tasks.BatchCreateTasks(pb.BatchCreateTasksRequest(requests=requests)))
    assert (refusal.code, refusal.reason) == ("ALREADY_EXISTS", "TASK_CONFLICT")
    assert refusal.metadata == {"task_id": task_id, "index": "2"}
    assert await _count(database_url) == (0, 0)


async def test_p2_a_batch_with_one_conflict_stores_nothing_and_names_it(api, refused, database_url):
    taken = (await api.tasks.CreateTask(_request("taken", task_id=str(new_id())))).task.id
    requests = [_request(str(number)) for number in range(4)] + [_request("other", task_id=taken)]
    refusal = await refused(api.tasks.BatchCreateTasks(pb.BatchCreateTasksRequest(requests=requests)))
    assert (refusal.code, refusal.reason) == ("ALREADY_EXISTS", "TASK_CONFLICT")
    assert refusal.metadata == {"task_id": taken, "index": "4"}
    assert await _count(database_url) == (1, 1)


async def test_p2_a_batch_can_be_repeated(api, database_url):
    batch = pb.BatchCreateTasksRequest(requests=[_request(str(n), task_id=str(new_id())) for n in range(50)])
    first = await api.tasks.BatchCreateTasks(batch)
    batch.requests.extend([_request("new", task_id=str(new_id()))])
    again = await api.tasks.BatchCreateTasks(batch)
    assert [item.deduplicated for item in again.responses] == [True] * 50 + [False]
    assert [item.task.id for item in again.responses[:50]] == [item.task.id for item in first.responses]
    assert await _count(database_url) == (51, 51)


async def test_a_request_that_cannot_be_stored_takes_nobody_down(api, refused, database_url):
    taken = (await api.tasks.CreateTask(_request("taken", task_id=str(new_id())))).task.id
    calls = [api.tasks.CreateTask(_request(str(number))) for number in range(40)]
    bad = [api.tasks.CreateTask(_request("other", task_id=taken)) for _ in range(3)]
    answers = await asyncio.gather(*calls[:20], *bad, *calls[20:], return_exceptions=True)
    assert [answer.code().name for answer in answers if isinstance(answer, Exception)] == ["ALREADY_EXISTS"] * 3
    assert len([answer for answer in answers if not isinstance(answer, Exception)]) == 40
    assert await _count(database_url) == (41, 41)


@pytest.fixture
def sizes(monkeypatch):
    """Give the numbers of tasks of the statements so far."""
    sizes = []
    plain = Creations.create_tasks

    async def counting(self, tasks):
        sizes.append(len(tasks))
        return await plain(self, tasks)

    monkeypatch.setattr(Creations, "create_tasks", counting)
    return sizes


@pytest.mark.parametrize("limit", ["FLUSH_TASKS_MAX", "FLUSH_BYTES_MAX"])
async def test_a_statement_takes_no_more_than_fits(api, sizes, monkeypatch, limit):
    monkeypatch.setattr(creator, limit, 2)
    await asyncio.gather(*(api.tasks.CreateTask(_request("x")) for _ in range(50)))
    assert max(sizes) == 2


async def test_creates_that_arrive_together_share_a_statement(api, sizes):
    await asyncio.gather(*(api.tasks.CreateTask(_request()) for _ in range(200)))
    assert sum(sizes) == 200
    assert len(sizes) < 60


async def test_creates_that_come_one_by_one_do_not_wait_for_each_other_but_few_go_at_once(api, monkeypatch, eventually):
    began, gate = [], asyncio.Event()
    plain = Creations.create_tasks

    async def held(self, tasks):
        began.append(len(tasks))
        await gate.wait()
        return await plain(self, tasks)

    first = await api.tasks.CreateTask(_request())
    monkeypatch.setattr(Creations, "create_tasks", held)
    calls = []
    for number in range(creator.QUIET_FLUSHES):
        calls.append(asyncio.ensure_future(api.tasks.CreateTask(_request())))
        await eventually(lambda expected=number + 1: len(began) == expected)
    calls += [asyncio.ensure_future(api.tasks.CreateTask(_request())) for _ in range(5)]
    # Answered when the creates before it, on the same connection, have been taken up.
    await api.get(first.task.id)
    gate.set()
    await asyncio.gather(*calls)

    assert began[: creator.QUIET_FLUSHES] == [1] * creator.QUIET_FLUSHES
    assert sum(began) == creator.QUIET_FLUSHES + 5
    assert len(began) < creator.QUIET_FLUSHES + 5


@pytest.fixture
def told(monkeypatch):
    """Give what the others are told: a count of strikes, the ids that are rung, and the queues that are announced."""
    told = SimpleNamespace(strikes=0, rung=[], queues=[])
    strike, ring, announce = Bell.strike, Ringer.ring, QueueNews.announce

    def note_strike(self):
        told.strikes += 1
        strike(self)

    def note_ring(self, ready):
        ready = list(ready)
        told.rung += [str(one.id) for one in ready]
        ring(self, ready)

    def note_announcement(self, queue):
        told.queues.append(queue)
        announce(self, queue)

    monkeypatch.setattr(Bell, "strike", note_strike)
    monkeypatch.setattr(Ringer, "ring", note_ring)
    monkeypatch.setattr(QueueNews, "announce", note_announcement)
    return told


async def test_a_create_of_which_the_first_reply_was_lost_is_told_to_the_others(api, told, monkeypatch):
    plain, losses = Creations.create_tasks, [BackendUnavailable()]

    async def lose_reply(self, tasks):
        creation = await plain(self, tasks)
        if losses:
            raise losses.pop()
        return creation

    monkeypatch.setattr(Creations, "create_tasks", lose_reply)
    task = await api.create(queue="fresh")
    assert (told.strikes, told.rung, told.queues) == (1, [task.id], ["fresh"])


async def test_a_repetition_is_told_to_the_others_until_a_processor_has_the_task(api, worker, told):
    request = _request(task_id=str(new_id()))
    await api.tasks.CreateTask(request)
    await api.tasks.CreateTask(request)
    assert (told.strikes, told.rung) == (2, [request.task_id] * 2)
    await worker.claim(UUID(request.task_id))
    strikes = told.strikes
    await api.tasks.CreateTask(request)
    assert (told.strikes, told.rung) == (strikes, [request.task_id] * 2)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_full_flush_does_not_linger_on_any_kind_of_event_loop(monkeypatch, loop_factory):
    monkeypatch.setattr(creator, "LINGER_SECONDS", 60.0)

    class Stored:
        async def create_tasks(self, tasks):
            return Creation(datetime.now(UTC), frozenset(task.id for task in tasks), frozenset())

    async def fill():
        metrics = GatewayMetrics(CollectorRegistry())
        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as flushes:
            one = creator.Creator(Stored(), Mock(), Mock(), Mock(), metrics, flushes)
            await asyncio.gather(*(one.create([_task()]) for _ in range(creator.LINGER_FROM_REQUESTS)))
            lingering = asyncio.ensure_future(one.create([_task()]))
            await asyncio.sleep(0)
            await one.create([_task() for _ in range(creator.FULL_FLUSH_TASKS)])
            await lingering

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(fill())


@pytest.mark.parametrize("limit", ["WAITING_TASKS_MAX", "WAITING_BYTES_MAX"])
async def test_p9_a_full_buffer_refuses_and_recovers(api, monkeypatch, limit):
    monkeypatch.setattr(creator, limit, 3)
    gate = asyncio.Event()
    plain = Creations.create_tasks

    async def held(self, tasks):
        await gate.wait()
        return await plain(self, tasks)

    monkeypatch.setattr(Creations, "create_tasks", held)
    calls = [asyncio.ensure_future(_answer(api.tasks.CreateTask(_request(str(n))))) for n in range(30)]
    done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED, timeout=10)
    assert done
    gate.set()
    answers = await asyncio.gather(*calls)
    errors = [answer for answer in answers if isinstance(answer, Exception)]
    assert errors
    assert {error.code().name for error in errors} == {"RESOURCE_EXHAUSTED"}
    await api.tasks.CreateTask(_request("later"))


async def _answer(call):
    try:
        return await call
    except Exception as error:
        return error


async def test_p1_a_caller_that_leaves_does_not_take_others_or_connections_along(api, database_url):
    for _ in range(30):
        call = api.tasks.CreateTask(_request())
        other = api.tasks.CreateTask(_request())
        call.cancel()
        await other
    await asyncio.gather(*(api.tasks.CreateTask(_request()) for _ in range(30)))
    stored, _ = await _count(database_url)
    assert 60 <= stored <= 90


async def test_p9_a_full_queue_refuses(api, refused, monkeypatch):
    from taskwire_gateway.admission import Admission

    plain, depths = Admission.admit, Counter()

    async def admit(self, tasks):
        self._queue_depth_max = 3
        # A sample that was taken before a create would forget it.
        self._waiting = depths
        await plain(self, tasks)

    # Of a queue that is known, so that no sample comes between.
    await api.create(queue="small")
    monkeypatch.setattr(Admission, "admit", admit)
    for _ in range(3):
        await api.create(queue="small")
    refusal = await refused(api.tasks.CreateTask(_request(queue="small")))
    assert (refusal.code, refusal.reason) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
    assert refusal.metadata == {"queue": "small", "limit": "3"}
    assert "RetryInfo" in refusal.details
    assert refusal.pushback
    await api.create(queue="other")


async def test_p9_queues_beyond_the_limit_are_refused(api, refused, monkeypatch):
    from taskwire_gateway.admission import Admission

    plain = Admission.admit

    async def admit(self, tasks):
        self._queues_max = 2
        await plain(self, tasks)

    monkeypatch.setattr(Admission, "admit", admit)
    await api.create(queue="one")
    await api.create(queue="two")
    refusal = await refused(api.tasks.CreateTask(_request(queue="three")))
    assert (refusal.code, refusal.fields) == ("INVALID_ARGUMENT", ["task.queue"])
    requests = [_request(queue="two"), _request(queue="three")]
    refusal = await refused(api.tasks.BatchCreateTasks(pb.BatchCreateTasksRequest(requests=requests)))
    assert (refusal.code, refusal.fields) == ("INVALID_ARGUMENT", ["requests[1].task.queue"])
    await api.create(queue="two")

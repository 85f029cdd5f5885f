"""`WatchTasks`: every change, from a position on, across connections."""

import asyncio
from uuid import UUID

import grpc
import pytest

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway import edge, feed, tailer
from taskwire_gateway.resume_token import ResumeTokens
from taskwire_gateway.tailer import Tailer
from taskwire_shared.domain import limits
from taskwire_shared.store import events
from taskwire_shared.store.database import Database

SECONDS = 10


async def _read(call):
    async with asyncio.timeout(SECONDS):
        return await call.read()


async def _changes(call, count):
    """Read until `count` changes have come. Returns them and the last token."""
    found, token = [], ""
    while len(found) < count:
        message = await _read(call)
        found += [(change.id, change.version) for change in message.changes.tasks]
        token = message.resume_token
    assert len(found) == count
    return found, token


async def _live_through(api, worker, count):
    """Let `count` tasks run to their end and return their ids."""
    requests = [pb.CreateTaskRequest(task=task_pb2.Task(type="echo")) for _ in range(count)]
    made = await api.tasks.BatchCreateTasks(pb.BatchCreateTasksRequest(requests=requests))
    ids = [response.task.id for response in made.responses]
    fences = await worker.claim(*map(UUID, ids))
    await worker.succeed(*fences)
    return ids


def _check_order(found, ids, versions):
    for task_id in ids:
        assert [version for changed, version in found if changed == task_id] == versions


async def test_p6_a_feed_begins_now_and_brings_every_change(api, worker):
    await _live_through(api, worker, 3)
    call = api.tasks.WatchTasks(pb.WatchTasksRequest())
    started = await _read(call)
    assert started.started.heartbeat_interval.seconds == 15
    assert 0 < len(started.resume_token) <= 256
    ids = await _live_through(api, worker, 20)
    found, _ = await _changes(call, 60)
    _check_order(found, ids, [1, 2, 3])
    call.cancel()


async def test_p6_a_feed_begins_with_a_token_however_many_transactions_are_open(api, monkeypatch):
    monkeypatch.setattr(ResumeTokens, "make", lambda *_: None)
    call = api.tasks.WatchTasks(pb.WatchTasksRequest())
    token = (await _read(call)).resume_token
    call.cancel()
    task = await api.create()
    call = api.tasks.WatchTasks(pb.WatchTasksRequest(resume_token=token))
    await _read(call)
    found, _ = await _changes(call, 1)
    assert found == [(task.id, 1)]
    call.cancel()


async def test_p6_a_feed_goes_on_where_a_token_says(api, worker):
    call = api.tasks.WatchTasks(pb.WatchTasksRequest())
    token = (await _read(call)).resume_token
    call.cancel()
    ids = await _live_through(api, worker, 5)
    call = api.tasks.WatchTasks(pb.WatchTasksRequest(resume_token=token))
    assert (await _read(call)).resume_token == token
    found, token = await _changes(call, 15)
    _check_order(found, ids, [1, 2, 3])
    more = await _live_through(api, worker, 5)
    found, _ = await _changes(call, 15)
    _check_order(found, more, [1, 2, 3])
    call.cancel()
    call = api.tasks.WatchTasks(pb.WatchTasksRequest(resume_token=token))
    await _read(call)
    found, _ = await _changes(call, 15)
    _check_order(found, more, [1, 2, 3])
    call.cancel()


async def test_p6_a_feed_resumed_under_load_misses_nothing(api, worker):
    call = api.tasks.WatchTasks(pb.WatchTasksRequest())
    token = (await _read(call)).resume_token
    load = asyncio.create_task(_load(api, worker))
    found = []
    while len(found) < 10 * 20 * 3:
        some, token = await _changes_up_to_another_token(call, token)
        found += some
        call.cancel()
        call = api.tasks.WatchTasks(pb.WatchTasksRequest(resume_token=token))
        await _read(call)
    call.cancel()
    ids = await load
    assert len(found) == len(set(found))
    _check_order(found, ids, [1, 2, 3])


async def test_p6_a_feed_resumed_while_the_tailer_is_pages_behind_repeats_nothing(api, worker, monkeypatch):
    read, join = events.feed_since, Tailer.joined
    behind, joining, gate = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hold(db, position, incarnation, limit):
        if limit == tailer.PAGE_TASKS_MAX:
            behind.set()
            await gate.wait()
        return await read(db, position, incarnation, limit)

    def join_late(self, feed=None):
        joining.set()
        return join(self, feed)

    other = api.tasks.WatchTasks(pb.WatchTasksRequest())
    token = (await _read(other)).resume_token
    monkeypatch.setattr(tailer, "PAGE_TASKS_MAX", 2)
    monkeypatch.setattr(events, "feed_since", hold)
    monkeypatch.setattr(Tailer, "joined", join_late)
    await asyncio.wait_for(behind.wait(), SECONDS)
    ids = [task_id for _ in range(5) for task_id in await _live_through(api, worker, 2)]
    call = api.tasks.WatchTasks(pb.WatchTasksRequest(resume_token=token))
    await _read(call)
    found, _ = await _changes(call, 30)
    _check_order(found, ids, [1, 2, 3])
    await asyncio.wait_for(joining.wait(), SECONDS)
    gate.set()
    # The first may still be read from the table; the second comes behind all that the tailer deals.
    for _ in range(2):
        more = await _live_through(api, worker, 2)
        found, _ = await _changes(call, 6)
        _check_order(found, more, [1, 2, 3])
    call.cancel()
    other.cancel()


async def _load(api, worker):
    return [task_id for _ in range(10) for task_id in await _live_through(api, worker, 20)]


async def _some_changes(call):
    message = await _read(call)
    return [(change.id, change.version) for change in message.changes.tasks], message.resume_token


async def _changes_up_to_another_token(call, token):
    """Read whole pages: what came of one without its token comes again after a reconnect."""
    found, newest = [], token
    while newest == token:
        some, newest = await _some_changes(call)
        found += some
    return found, newest


async def test_a_feed_brings_only_what_is_selected(api, worker):
    selector = pb.TaskSelector(
        queues=["mail"], types=["echo"], states=[task_pb2.TASK_STATE_SUCCEEDED, 42], labels={"a": "1"}
    )
    call = api.tasks.WatchTasks(pb.WatchTasksRequest(selector=selector))
    await _read(call)
    for fields in ({}, {"queue": "mail"}, {"queue": "mail", "labels": {"a": "2"}}):
        await api.create(**fields)
    wanted = await api.create(queue="mail", labels={"a": "1", "b": "2"})
    await worker.succeed(*await worker.claim(UUID(wanted.id)))
    message = await _read(call)
    (change,) = message.changes.tasks
    assert (change.id, change.state, change.version) == (wanted.id, task_pb2.TASK_STATE_SUCCEEDED, 3)
    assert not change.HasField("output")
    call.cancel()


async def test_a_feed_of_states_that_do_not_exist_brings_nothing_but_its_position(gateway):
    async with gateway(heartbeat_seconds=0.2) as api:
        for states in ([42], [task_pb2.TASK_STATE_UNSPECIFIED]):
            call = api.tasks.WatchTasks(pb.WatchTasksRequest(selector=pb.TaskSelector(states=states)))
            first = await _read(call)
            await api.create()
            message = await _read(call)
            while message.resume_token == first.resume_token:
                message = await _read(call)
            assert message.HasField("heartbeat")
            call.cancel()


@pytest.mark.parametrize("spoil", ["flip", "cut", "junk", "blank"])
async def test_a_token_that_was_tampered_with_is_refused(api, refused, spoil):
    call = api.tasks.WatchTasks(pb.WatchTasksRequest())
    token = (await _read(call)).resume_token
    call.cancel()
    spoilt = {
        "flip": token[:-2] + ("AA" if token[-2:] != "AA" else "BB"),
        "cut": token[:10],
        "junk": "é~",
        "blank": token + "=",
    }[spoil]
    refusal = await refused(api.tasks.WatchTasks(pb.WatchTasksRequest(resume_token=spoilt)))
    assert (refusal.code, refusal.reason, refusal.fields) == ("INVALID_ARGUMENT", "INVALID_FIELDS", ["resume_token"])


async def test_a_token_of_another_selector_or_use_is_refused(api, refused):
    call = api.tasks.WatchTasks(pb.WatchTasksRequest())
    token = (await _read(call)).resume_token
    call.cancel()
    request = pb.WatchTasksRequest(resume_token=token, selector=pb.TaskSelector(queues=["mail"]))
    assert (await refused(api.tasks.WatchTasks(request))).fields == ["resume_token"]
    await api.create()
    await api.create()
    page = await api.tasks.ListTasks(pb.ListTasksRequest(page_size=1))
    request = pb.WatchTasksRequest(resume_token=page.next_page_token)
    assert (await refused(api.tasks.WatchTasks(request))).fields == ["resume_token"]


async def test_p6_a_position_that_is_no_longer_kept_is_out_of_range(api, refused, database_url):
    call = api.tasks.WatchTasks(pb.WatchTasksRequest())
    token = (await _read(call)).resume_token
    call.cancel()
    async with Database.open(database_url) as other:
        await other.execute(
            "UPDATE installation SET feed_floor = (pg_current_xact_id()::text::bigint + 10)::text::xid8"
        )
    refusal = await refused(api.tasks.WatchTasks(pb.WatchTasksRequest(resume_token=token)))
    assert (refusal.code, refusal.reason) == ("OUT_OF_RANGE", "RESUME_TOKEN_EXPIRED")


async def test_p6_a_token_from_before_a_restore_is_out_of_range(gateway, refused, database_url):
    async with gateway() as api:
        token = await _begin(api)
    async with Database.open(database_url) as other:
        await other.execute("UPDATE installation SET incarnation = gen_random_uuid()")
    async with gateway() as api:
        refusal = await refused(api.tasks.WatchTasks(pb.WatchTasksRequest(resume_token=token)))
        assert (refusal.code, refusal.reason) == ("OUT_OF_RANGE", "RESUME_TOKEN_EXPIRED")


@pytest.fixture
async def unaware(gateway, database_url):
    """Give a gateway that has not heard that its database was exchanged, one that knows it, and a token from before."""
    async with gateway() as old:
        token = await _begin(old)
        async with Database.open(database_url) as other:
            await other.execute("UPDATE installation SET incarnation = gen_random_uuid()")
        async with gateway() as new:
            yield old, new, token


async def test_p6_a_token_of_an_exchanged_database_is_out_of_range_before_anybody_knows(unaware, refused):
    old, _, token = unaware
    refusal = await refused(old.tasks.WatchTasks(pb.WatchTasksRequest(resume_token=token)))
    assert (refusal.code, refusal.reason) == ("OUT_OF_RANGE", "RESUME_TOKEN_EXPIRED")


async def test_p6_a_watch_moves_on_to_a_gateway_that_has_not_heard_of_the_exchange(unaware):
    old, new, _ = unaware
    token = await _begin(new)
    created = await new.create()
    assert await _first_change(old, token) == created.id


async def test_p6_a_watch_that_begins_where_nobody_has_heard_of_the_exchange_moves_on_elsewhere(unaware):
    old, new, _ = unaware
    token = await _begin(old)
    created = await new.create()
    assert await _first_change(new, token) == created.id


async def _begin(api):
    """Open a watch as a client does, which comes back when it is moved. Returns its token."""
    return (await _until(api, "", lambda _: True)).resume_token


async def _first_change(api, token):
    """Go on from a token as a client does, up to the first change. Returns the id of its task."""
    return (await _until(api, token, lambda message: message.HasField("changes"))).changes.tasks[0].id


async def _until(api, token, is_wanted):
    async with asyncio.timeout(30):
        while True:
            call = api.tasks.WatchTasks(pb.WatchTasksRequest(resume_token=token))
            try:
                while not is_wanted(message := await _read(call)):
                    token = message.resume_token
                return message
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
            finally:
                call.cancel()


async def test_p6_a_feed_that_is_read_too_slowly_is_aborted_and_can_be_resumed(api, worker, refused, monkeypatch):
    monkeypatch.setattr(feed, "BUFFER_CHANGES_MAX", 5)
    call = api.tasks.WatchTasks(pb.WatchTasksRequest())
    token = (await _read(call)).resume_token
    ids = await _live_through(api, worker, 10)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        while True:
            token = (await _read(call)).resume_token
    assert caught.value.code() is grpc.StatusCode.ABORTED
    monkeypatch.undo()
    call = api.tasks.WatchTasks(pb.WatchTasksRequest(resume_token=token))
    await _read(call)
    found, _ = await _changes(call, 30)
    _check_order(found, ids, [1, 2, 3])
    call.cancel()


async def test_p9_a_reader_that_takes_nothing_loses_its_watch(gateway, monkeypatch):
    monkeypatch.setattr(edge, "WRITE_SECONDS", 0.3)
    monkeypatch.setattr(edge, "FAREWELL_SECONDS", 0.3)
    async with gateway(watches_max=1) as api:
        stuck = api.tasks.WatchTasks(pb.WatchTasksRequest())
        token = (await _read(stuck)).resume_token
        labels = {f"{number}": "x" * 255 for number in range(15)}
        request = pb.CreateTaskRequest(task=task_pb2.Task(type="echo", labels=labels))
        batch = pb.BatchCreateTasksRequest(requests=[request] * 500)
        other = None
        async with asyncio.timeout(30):
            while other is None:
                await api.tasks.BatchCreateTasks(batch)
                other = await _open(api, pb.WatchTasksRequest(resume_token=token))
        other.cancel()
        stuck.cancel()


async def _open(api, request):
    call = api.tasks.WatchTasks(request)
    try:
        await _read(call)
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # noqa: PT017
        return None
    return call


async def test_p6_who_is_cut_off_between_the_messages_of_a_page_is_given_the_rest(api, monkeypatch):
    call = api.tasks.WatchTasks(pb.WatchTasksRequest())
    token = (await _read(call)).resume_token
    call.cancel()
    monkeypatch.setattr(limits, "CHANGES_PER_MESSAGE_MAX", 2)
    requests = [pb.CreateTaskRequest(task=task_pb2.Task(type="echo")) for _ in range(5)]
    await api.tasks.BatchCreateTasks(pb.BatchCreateTasksRequest(requests=requests))
    call = api.tasks.WatchTasks(pb.WatchTasksRequest(resume_token=token))
    await _read(call)
    first = await _read(call)
    assert len(first.changes.tasks) == 2
    call.cancel()
    call = api.tasks.WatchTasks(pb.WatchTasksRequest(resume_token=first.resume_token))
    await _read(call)
    found, _ = await _changes(call, 5)
    assert {change.id for change in first.changes.tasks} <= {task_id for task_id, _ in found}
    call.cancel()

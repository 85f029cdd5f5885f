"""A watch goes on from where it was, however it is cut, and ends only where it must."""

import asyncio
from contextlib import aclosing
from random import Random

import grpc
import pytest

from taskwire import Client, errors, watching
from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as tasks_pb
from taskwire.v1.task_service_pb2_grpc import TaskServiceStub
from taskwire.watching import Backoff

MOVED = (grpc.StatusCode.UNAVAILABLE, "WATCH_MOVED")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch) -> None:
    monkeypatch.setattr(watching, "_BACKOFF_FIRST_SECONDS", 0.001)
    monkeypatch.setattr(watching, "_BACKOFF_MAX_SECONDS", 0.002)


def _version(version: int, *, done: bool = False) -> tasks_pb.WatchTaskResponse:
    return tasks_pb.WatchTaskResponse(task=task_pb2.Task(id="t", version=version, done=done))


def _changes(token: str, *versions: int) -> tasks_pb.WatchTasksResponse:
    tasks = [task_pb2.Task(id="t", version=version) for version in versions]
    return tasks_pb.WatchTasksResponse(changes=tasks_pb.TaskChanges(tasks=tasks), resume_token=token)


def _started(token: str, heartbeat_seconds: float = 15) -> tasks_pb.WatchTasksResponse:
    started = tasks_pb.WatchStarted()
    started.heartbeat_interval.FromNanoseconds(int(heartbeat_seconds * 1e9))
    return tasks_pb.WatchTasksResponse(started=started, resume_token=token)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        MOVED,
        (grpc.StatusCode.UNAVAILABLE, ""),
        (grpc.StatusCode.ABORTED, "WATCH_TOO_SLOW"),
        (grpc.StatusCode.CANCELLED, ""),
        (grpc.StatusCode.INTERNAL, "INTERNAL"),
        (grpc.StatusCode.UNKNOWN, ""),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHES"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, ""),
    ],
)
async def test_p6_watch_of_one_task_goes_on_behind_the_newest_version(client, gateway, reject, code, reason) -> None:
    gateway.script(
        "WatchTask",
        [_version(1), _version(2), reject(code, reason)],
        # A version that was given already is not given again.
        [_version(2), _version(3), _version(4, done=True)],
    )

    assert [task.version async for task in client.watch("t")] == [1, 2, 3, 4]

    first, second = gateway.requests
    assert not first.HasField("after_version")
    assert second.after_version == 2


async def test_p6_ok_before_the_final_version_is_no_end(client, gateway) -> None:
    gateway.script("WatchTask", [_version(1)], [_version(2, done=True)])

    assert [task.version async for task in client.watch("t")] == [1, 2]


async def test_watch_ends_with_the_final_version_though_the_call_goes_on(client, gateway) -> None:
    gateway.script("WatchTask", [_version(3, done=True), asyncio.Event()])

    assert [task.version async for task in client.watch("t", after_version=3)] == [3]


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND", errors.TaskNotFound),
        (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS", errors.InvalidFields),
        (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED", errors.PermissionDenied),
        (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", errors.Unauthenticated),
        (grpc.StatusCode.UNIMPLEMENTED, "", errors.TaskwireError),
        (grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_EXPIRED", errors.ResumeTokenExpired),
    ],
)
async def test_final_codes_are_raised(client, gateway, reject, code, reason, kind) -> None:
    gateway.script("WatchTask", [_version(1), reject(code, reason)])
    gateway.script("WatchTasks", [_started("a"), reject(code, reason)])

    with pytest.raises(kind):
        _ = [task async for task in client.watch("t")]
    with pytest.raises(kind):
        _ = [changes async for changes in client.watch_all()]
    assert len(gateway.requests) == 2


async def test_watches_that_are_moved_do_not_stop_calls_from_being_repeated(client, gateway, reject) -> None:
    moves = [[_version(version), reject(*MOVED)] for version in range(1, 12)]
    gateway.script("WatchTask", *moves, [_version(12, done=True)])
    gateway.script("GetTask", reject(grpc.StatusCode.UNAVAILABLE), tasks_pb.GetTaskResponse(task=task_pb2.Task(id="t")))

    assert len([task async for task in client.watch("t")]) == 12

    assert (await client.get("t")).id == "t"


async def _closed_while(client, versions) -> type[BaseException] | None:
    await anext(versions)
    waiting = asyncio.create_task(anext(versions))
    # The first turn of the loop lets it begin to wait.
    await asyncio.sleep(0)
    await client.close()
    async with asyncio.timeout(5):
        (raised,) = await asyncio.gather(waiting, return_exceptions=True)
    return type(raised)


async def test_closing_says_so_to_watches(gateway) -> None:
    gateway.script("WatchTask", [_version(1), asyncio.Event()])
    gateway.script("WatchTasks", [_started("a"), asyncio.Event()])

    for watch in (lambda client: client.watch("t"), lambda client: client.watch_all()):
        client = Client(gateway.address)
        assert await _closed_while(client, watch(client)) is errors.ClientClosed
        with pytest.raises(errors.ClientClosed):
            await client.wait("t")


async def test_closing_says_so_to_a_watch_in_its_pause(gateway, reject, monkeypatch) -> None:
    paused = asyncio.Event()

    def next_seconds(*_: object) -> float:
        paused.set()
        return 0.01

    monkeypatch.setattr(Backoff, "next_seconds", next_seconds)
    gateway.script("WatchTask", [reject(*MOVED)])
    client = Client(gateway.address)
    waiting = asyncio.create_task(client.wait("t"))
    async with asyncio.timeout(5):
        await paused.wait()
        await client.close()
        with pytest.raises(errors.ClientClosed):
            await waiting


async def test_cancelled_watch_stays_cancelled(client, gateway) -> None:
    gateway.script("WatchTask", [_version(1), asyncio.Event()])
    seen = asyncio.Event()

    async def follow() -> None:
        async for _ in client.watch("t"):
            seen.set()

    following = asyncio.create_task(follow())
    async with asyncio.timeout(5):
        await seen.wait()
        following.cancel()
        await client.close()
        with pytest.raises(asyncio.CancelledError):
            await following


async def test_progress_is_given_when_asked_for_and_only_when_new(client, gateway) -> None:
    progress = task_pb2.Progress(fraction=0.5, message="half")
    heartbeat = tasks_pb.WatchTaskResponse(heartbeat=tasks_pb.WatchHeartbeat(progress=progress))
    gateway.script("WatchTask", [_version(1), heartbeat, heartbeat, _version(2, done=True)])

    seen = [(task.version, task.progress) async for task in client.watch("t", with_progress=True)]
    quiet = [task.version async for task in client.watch("t")]

    assert [(version, bool(shown)) for version, shown in seen] == [(1, False), (1, True), (2, False)]
    assert quiet == [1, 2]


async def test_p6_watch_of_many_resumes_from_the_last_token(client, gateway, reject) -> None:
    heartbeat = tasks_pb.WatchTasksResponse(heartbeat=tasks_pb.WatchHeartbeat(), resume_token="c")
    gateway.script(
        "WatchTasks",
        [_started("a"), _changes("b", 1, 2), heartbeat, reject(*MOVED)],
        # OK is not an end either.
        [_started("c"), _changes("d", 3)],
        [_changes("e", 4), asyncio.Event()],
    )

    tokens, versions = [], []
    async with aclosing(client.watch_all()) as messages:
        async for changes in messages:
            tokens.append(changes.resume_token)
            versions += [task.version for task in changes.tasks]
            if changes.resume_token == "e":
                break

    assert tokens == ["a", "b", "c", "c", "d", "e"]
    assert versions == [1, 2, 3, 4]
    assert [request.resume_token for request in gateway.requests] == ["", "c", "d"]


async def test_p6_position_moves_only_when_its_user_comes_back_for_more(gateway) -> None:
    gateway.script("WatchTasks", [_started("a"), _changes("b", 1), _changes("c", 2), asyncio.Event()])
    request = tasks_pb.WatchTasksRequest()

    async with grpc.aio.insecure_channel(gateway.address) as channel:
        stub = TaskServiceStub(channel)
        changes = watching.watch_tasks(stub, request, wait_for_ready=False, is_closed=lambda: False)
        async with aclosing(changes) as messages:
            positions = [((await anext(messages)).resume_token, request.resume_token) for _ in range(3)]

    assert positions == [("a", ""), ("b", "a"), ("c", "b")]


async def test_p6_what_a_resumed_call_repeats_is_given_once(client, gateway, reject) -> None:
    gateway.script(
        "WatchTasks",
        # Cut between messages that share a token, twice, and divided in another way each time.
        [_started("a"), _changes("a", 1, 2), _changes("a", 3), reject(*MOVED)],
        [_started("a"), _changes("b", 1), _changes("b", 2), reject(*MOVED)],
        [_started("b"), _changes("c", 2, 3, 4), asyncio.Event()],
    )

    versions = []
    async with aclosing(client.watch_all()) as messages:
        async for changes in messages:
            versions += [task.version for task in changes.tasks]
            if changes.resume_token == "c":
                break

    assert versions == [1, 2, 3, 4]
    assert [request.resume_token for request in gateway.requests] == ["", "a", "b"]


async def test_kind_of_event_that_is_not_known_moves_the_position(client, gateway, reject) -> None:
    gateway.script("WatchTasks", [tasks_pb.WatchTasksResponse(resume_token="a"), reject(*MOVED)], [_changes("b", 1)])

    async with aclosing(client.watch_all()) as messages:
        assert [(await anext(messages)).resume_token for _ in range(2)] == ["a", "b"]
    assert gateway.requests[1].resume_token == "a"


async def test_silence_is_taken_for_death(client, gateway) -> None:
    silence = asyncio.Event()
    gateway.script("WatchTasks", [_started("a", heartbeat_seconds=0.02), silence], [_changes("b", 1), silence])

    async with asyncio.timeout(5), aclosing(client.watch_all()) as messages:
        assert [(await anext(messages)).resume_token for _ in range(2)] == ["a", "b"]


async def test_leaving_ends_the_call(client, gateway) -> None:
    ended = asyncio.Event()

    class Hold(asyncio.Event):
        async def wait(self):
            try:
                return await super().wait()
            finally:
                ended.set()

    gateway.script("WatchTask", [_version(1), Hold()])
    async with aclosing(client.watch("t")) as versions:
        await anext(versions)

    async with asyncio.timeout(5):
        await ended.wait()


def test_pauses_grow_to_a_bound_and_start_anew(monkeypatch) -> None:
    monkeypatch.undo()
    longest = Random()
    longest.uniform = lambda _low, high: high
    backoff = Backoff(longest)

    assert [backoff.next_seconds() for _ in range(7)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    backoff.reset()
    assert backoff.next_seconds() == 0.1


def test_pause_respects_what_the_service_asks_for() -> None:
    def error(kind: type[errors.TaskwireError]) -> errors.TaskwireError:
        return kind(errors.ErrorFacts(grpc.StatusCode.UNAVAILABLE, "", retry_after_seconds=2.0))

    assert Backoff().next_seconds(error(errors.TooManyWatches)) >= 2.0
    # Being moved is the normal path: whoever follows should not notice.
    assert Backoff().next_seconds(error(errors.WatchMoved)) < 1.0

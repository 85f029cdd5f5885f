"""Following tasks without an end: a watch that reconnects by itself, from where it was.

The service ends every watch after some minutes, so reconnecting is the normal path. Only these end it for the user:
the final version of a task; the codes in `_FINAL_CODES`, which would only be said again; and closing the client.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import aclosing
from typing import Any, TypeVar

import grpc
import grpc.aio
from msgspec import Struct

from taskwire.channel import translated
from taskwire.errors import ClientClosed, RetryLater, TaskwireError, WatchMoved
from taskwire.task import TaskInfo
from taskwire.v1 import task_pb2, task_service_pb2

_FINAL_CODES = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNIMPLEMENTED,
        # The position is no longer kept. What lies between is gone, and the user has to know.
        grpc.StatusCode.OUT_OF_RANGE,
    }
)
_HEARTBEAT_SECONDS = 15.0
"""The longest silence of the service until it says otherwise."""
_HEARTBEATS_MISSED_MAX = 3
"""After so many times the longest silence a call is taken for dead (a proxy may have dropped it without a word)."""
_BACKOFF_FIRST_SECONDS = 0.1
_BACKOFF_MAX_SECONDS = 5.0
_RETRY_AFTER_SECONDS_MAX = 60.0
"""However long the service, or something on the way to it, asks to wait."""

M = TypeVar("M")
_OpenCall = Callable[[], grpc.aio.UnaryStreamCall[Any, M]]


class Changes(Struct, frozen=True):
    """Tasks after changes, and the position behind them.

    `tasks` may be empty: the position moves on its own too. Store `resume_token` after having dealt with `tasks`, and
    nothing is missed across a restart. What came since the token last changed comes again then: more changes than fit
    one message share a token until the last of them.
    """

    tasks: tuple[TaskInfo, ...]
    resume_token: str


class Backoff:
    """The pauses between attempts to connect: exponential, with full jitter."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self._random = rng or random.Random()  # noqa: S311  Jitter is no secret.
        self._ceiling = _BACKOFF_FIRST_SECONDS

    def reset(self) -> None:
        """Begin anew: a message has arrived."""
        self._ceiling = _BACKOFF_FIRST_SECONDS

    def next_seconds(self, error: TaskwireError | None = None) -> float:
        """Return the next pause: at least as long as the service asks for, unless it has only moved the watch."""
        pause = self._random.uniform(0, self._ceiling)
        self._ceiling = min(_BACKOFF_MAX_SECONDS, self._ceiling * 2)
        if isinstance(error, RetryLater) and not isinstance(error, WatchMoved):
            pause += min(error.retry_after_seconds or 0.0, _RETRY_AFTER_SECONDS_MAX)
        return pause


class _Repeats:
    """Knows which versions a resumed call gives once more: those that came since the position it resumes from."""

    def __init__(self) -> None:
        self._behind_token = set[tuple[str, int]]()
        self._expected = set[tuple[str, int]]()

    def expect(self) -> None:
        """Take note that a call begins at the token: it repeats what is behind it."""
        self._expected |= self._behind_token

    def drop(self, tasks: Iterable[task_pb2.Task]) -> list[task_pb2.Task]:
        """Return the tasks that were not given before."""
        fresh = []
        for task in tasks:
            key = (task.id, task.version)
            self._behind_token.add(key)
            if key in self._expected:
                self._expected.remove(key)
            else:
                fresh.append(task)
        return fresh

    def move(self) -> None:
        """Take note that the token is behind all that came: none of it will be repeated."""
        self._behind_token.clear()


async def watch_task(
    stub: Any,
    request: task_service_pb2.WatchTaskRequest,
    *,
    with_progress: bool,
    wait_for_ready: bool,
    is_closed: Callable[[], bool],
) -> AsyncGenerator[TaskInfo, None]:
    """Give every version of a task, each once and in order, and end with the final one.

    With progress, a version is given again whenever the running attempt has reported something new.
    """
    latest: TaskInfo | None = None

    def open_call() -> Any:
        return stub.WatchTask(request, wait_for_ready=wait_for_ready)

    async with aclosing(_messages(open_call, is_closed)) as messages:
        async for message in messages:
            kind = message.WhichOneof("event")
            if kind == "task" and _is_news(message.task, request):
                latest = TaskInfo(message.task)
                request.after_version = latest.version
                yield latest
                if latest.done:
                    return
            elif kind == "heartbeat" and with_progress and latest is not None:
                newer = _with_progress(latest, message.heartbeat)
                if newer is not None:
                    latest = newer
                    yield latest


async def watch_tasks(
    stub: Any, request: task_service_pb2.WatchTasksRequest, *, wait_for_ready: bool, is_closed: Callable[[], bool]
) -> AsyncGenerator[Changes, None]:
    """Give every change of the selected tasks, each once and in order per task, for ever."""
    repeats = _Repeats()

    def open_call() -> Any:
        repeats.expect()
        return stub.WatchTasks(request, wait_for_ready=wait_for_ready)

    async with aclosing(_messages(open_call, is_closed)) as messages:
        async for message in messages:
            tasks = tuple(map(TaskInfo, repeats.drop(message.changes.tasks)))
            yield Changes(tasks, message.resume_token)
            if message.resume_token != request.resume_token:
                # Only now: a user who stops in between has not dealt with them.
                request.resume_token = message.resume_token
                repeats.move()


def _is_news(task: task_pb2.Task, request: task_service_pb2.WatchTaskRequest) -> bool:
    """Tell whether the task was not given yet. A final version is sent again to a caller who names it."""
    return task.done or not request.HasField("after_version") or task.version > request.after_version


def _with_progress(latest: TaskInfo, heartbeat: task_service_pb2.WatchHeartbeat) -> TaskInfo | None:
    if not heartbeat.HasField("progress") or heartbeat.progress == latest.message.progress:
        return None
    message = task_pb2.Task()
    message.CopyFrom(latest.message)
    message.progress.CopyFrom(heartbeat.progress)
    return TaskInfo(message)


async def _messages(open_call: _OpenCall[M], is_closed: Callable[[], bool]) -> AsyncGenerator[M, None]:
    """Give the messages of one call after the other, until one ends with a final code or the client is closed."""
    backoff = Backoff()
    while True:
        error: TaskwireError | None = None
        try:
            with translated(is_closed):
                async with aclosing(_one_call(open_call)) as messages:
                    async for message in messages:
                        backoff.reset()
                        yield message
        except TaskwireError as failure:
            if failure.code in _FINAL_CODES or isinstance(failure, ClientClosed):
                raise
            error = failure
        except TimeoutError:
            # Silence: the call is dead, whatever the transport believes.
            pass
        await asyncio.sleep(backoff.next_seconds(error))


async def _one_call(open_call: _OpenCall[M]) -> AsyncGenerator[M, None]:
    """Give the messages of one call, and end it when it is left."""
    call = open_call()
    try:
        async with aclosing(_alive(call, _HEARTBEAT_SECONDS)) as messages:
            async for message in messages:
                yield message
    finally:
        call.cancel()


async def _alive(call: AsyncIterable[M], heartbeat_seconds: float) -> AsyncGenerator[M, None]:
    """Give the messages of `call`. Raises TimeoutError after too long a silence."""
    messages = aiter(call)
    while True:
        async with asyncio.timeout(heartbeat_seconds * _HEARTBEATS_MISSED_MAX):
            try:
                message = await anext(messages)
            except StopAsyncIteration:
                return
        if isinstance(message, task_service_pb2.WatchTasksResponse) and message.HasField("started"):
            heartbeat_seconds = message.started.heartbeat_interval.ToTimedelta().total_seconds() or heartbeat_seconds
        yield message

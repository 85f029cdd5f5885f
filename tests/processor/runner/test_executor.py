"""One attempt, from what control sent to what control hears, without any process."""

import asyncio
import contextvars
import gc
import sys
import threading
import weakref
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from taskwire import Attempt, Payload, TaskFailure, handler
from taskwire_processor.runner import wire
from taskwire_processor.runner.executor import Executor

BEGINS_AT_ONCE = sys.version_info >= (3, 12)
"""Whether a coroutine runs up to its first wait as soon as it is started."""
MOMENT = datetime(2026, 1, 1, 0, 0, 0, 123457, tzinfo=UTC).timestamp()
_variable = contextvars.ContextVar("variable", default="untouched")


@handler("echo")
async def echo(payload: Payload | None) -> Payload | None:
    return payload


@handler("facts")
async def facts(attempt: Attempt) -> dict[str, object]:
    return {
        "task_id": attempt.task_id,
        "attempt": attempt.attempt,
        "attempt_count": attempt.attempt_count,
        "queue": attempt.queue,
        "started_at": attempt.started_at,
    }


@handler("wait")
async def wait() -> None:
    await asyncio.Event().wait()


@handler("wait_in_thread")
def wait_in_thread(attempt: Attempt) -> None:
    attempt.wait(30)


@handler("permanent")
def permanent() -> None:
    raise TaskFailure("NOPE", "never", retryable=False)


@handler("later")
async def later() -> None:
    raise TaskFailure("LATER", retry_after=7)


@handler("exit")
async def leave() -> None:
    raise SystemExit(1)


@handler("broken_thread")
def broken_thread() -> None:
    raise KeyError("width")


@handler("context")
def context() -> str:
    before = _variable.get()
    _variable.set("touched")
    return before


@handler("report")
def report(attempt: Attempt) -> None:
    attempt.report(0.25, "first")
    attempt.report(0.5, "second")
    attempt.wait(30)


HANDLERS = {
    one.type: one
    for one in (echo, facts, wait, wait_in_thread, permanent, later, leave, broken_thread, context, report)
}  # fmt: skip


class _Control:
    """Hears what an executor says."""

    def __init__(self, threads: int = 2) -> None:
        self.said: asyncio.Queue[wire.FromRunner] = asyncio.Queue()
        self.executor = Executor(HANDLERS, threads=threads, send=self.said.put_nowait)

    def start(self, type: str, key: int = 1, data: bytes | None = None) -> None:
        self.executor.start(
            wire.Start(key, "id", 3, 2, "queue", type, MOMENT, MOMENT, data, is_text=True, content_type="text/plain")
        )

    async def hears(self) -> wire.FromRunner:
        return await asyncio.wait_for(self.said.get(), 5)


@pytest.fixture
async def control():
    made = _Control()
    yield made
    made.executor.close()


async def test_payload_comes_back_as_it_was(control):
    control.start("echo", data=b"x")
    assert await control.hears() == wire.Returned(1, b"x", is_text=True, content_type="text/plain")
    control.start("echo", key=2)
    assert await control.hears() == wire.Returned(2, None, is_text=False, content_type="")
    assert control.executor.is_idle


async def test_what_never_waits_is_over_before_the_next_begins(control):
    control.start("echo", key=1)
    control.start("wait", key=2)
    control.start("echo", key=3)
    told = [control.said.get_nowait().key for _ in range(control.said.qsize())]

    assert told == ([1, 3] if BEGINS_AT_ONCE else [])
    if not told:
        told = [(await control.hears()).key for _ in range(2)]
    assert told == [1, 3]
    control.executor.stop(wire.Stop(2))
    assert await control.hears() == wire.Unwound(2)


async def test_handler_is_told_the_facts(control):
    control.start("facts")
    returned = await control.hears()

    assert returned.output == (
        b'{"task_id":"id","attempt":3,"attempt_count":2,"queue":"queue","started_at":"2026-01-01T00:00:00.123457Z"}'
    )


@pytest.mark.parametrize(
    ("type", "reason", "retryable", "retry_after"),
    [
        ("permanent", "NOPE", False, None),
        ("later", "LATER", True, 7.0),
        ("exit", "UNHANDLED_EXCEPTION", True, None),
        ("unknown", "NO_HANDLER", True, None),
    ],
)
async def test_failures(control, type, reason, retryable, retry_after):
    control.start(type)
    raised = await control.hears()

    assert (raised.reason, raised.retryable, raised.retry_after) == (reason, retryable, retry_after)


@pytest.mark.parametrize(("type", "told"), [("permanent", 0), ("later", 0), ("exit", 1), ("broken_thread", 1)])
async def test_the_traceback_of_what_was_not_meant_is_logged(control, type, told):
    with capture_logs() as lines:
        control.start(type)
        await control.hears()

    assert [(line["event"], line["type"]) for line in lines] == [("handler.raised", type)] * told


@pytest.mark.parametrize("type", ["wait", "wait_in_thread"])
async def test_stopping_a_handler(control, type):
    control.start(type)
    await asyncio.sleep(0)
    control.executor.stop(wire.Stop(1))

    assert await control.hears() == wire.Unwound(1)


async def test_stopping_what_has_not_begun(control):
    control.start("wait")
    control.executor.stop(wire.Stop(1))
    assert await control.hears() == wire.Unwound(1, has_begun=BEGINS_AT_ONCE)
    for key in range(3):
        control.start("wait_in_thread", key=key)
    control.executor.stop(wire.Stop(2))
    assert await control.hears() == wire.Unwound(2, has_begun=False)
    for key in range(2):
        control.executor.stop(wire.Stop(key))
    assert {await control.hears(), await control.hears()} == {wire.Unwound(0), wire.Unwound(1)}
    control.executor.stop(wire.Stop(99))


async def test_what_was_stopped_before_it_began_leaves_nothing_behind(control):
    """Its task keeps the error that was thrown into it, that its frame, and that the run with the task."""
    control.start("wait", data=b"x" * 1000)
    task = weakref.ref(control.executor._runs[1].task)
    control.executor.stop(wire.Stop(1))
    await control.hears()
    left = task()
    if left is not None:
        await asyncio.wait((left,), timeout=5)
        del left
    gc.collect()

    assert task() is None


async def test_threads_are_bounded(control):
    before = threading.active_count()
    for key in range(10):
        control.start("wait_in_thread", key=key)
    assert threading.active_count() - before <= 2
    for key in range(10):
        control.executor.stop(wire.Stop(key))
    assert {(await control.hears()).key for _ in range(10)} == set(range(10))


async def test_threads_do_not_share_context_variables(control):
    seen = []
    for key in range(4):
        control.start("context", key=key)
        seen.append((await control.hears()).output)

    assert seen == [b"untouched"] * 4


async def test_only_the_newest_progress_is_sent(control):
    control.start("report")
    first = await control.hears()
    control.executor.stop(wire.Stop(1))

    assert first == wire.Reported(1, 0.5, "second")
    assert await control.hears() == wire.Unwound(1)

"""Run handlers in tests, without servers and in this process.

    outcome = await taskwire.testing.run(greet, {"name": "Ada"})
    assert outcome.succeeded and outcome.output.text == "Hello, Ada"

The input is decoded, the result encoded and a failure reported as a processor does it. Coroutines run on the test's
loop, other handlers in a thread, those of the kind `process` too. There are no retries and no timeouts: an attempt is
what a handler sees.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct

from taskwire.attempt import Attempt
from taskwire.failure import AttemptCancelled, TaskFailure, failure_of
from taskwire.handlers import Handler
from taskwire.ids import fresh_task_id
from taskwire.payload import Payload, result_payload


class Report(Struct, frozen=True):
    """What a handler has reported of its progress."""

    fraction: float
    message: str


class Outcome(Struct, frozen=True):
    """How an attempt ended."""

    output: Payload | None = None
    failure: TaskFailure | None = None
    cancelled: bool = False
    """Whether the handler stopped because it was told to."""
    reports: tuple[Report, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether the handler returned a result that can be stored."""
        return self.failure is None and not self.cancelled


class Trial:
    """An attempt in progress. Await `outcome` before the test ends."""

    def __init__(self, handler: Handler[..., Any], attempt: Attempt, reports: list[Report]) -> None:
        self.attempt = attempt
        self._is_stopped = False
        self._handler = handler
        self._reports = reports
        self._work: asyncio.Task[Any] = asyncio.create_task(_execute(handler, attempt))

    def cancel(self) -> None:
        """Tell the handler to stop, as a processor does."""
        self._is_stopped = True
        self.attempt.stop()
        if self._handler.is_coroutine:
            self._work.cancel()

    async def outcome(self) -> Outcome:
        """Wait for the end of the attempt."""
        # asyncio.wait and not await: being cancelled here and the handler being cancelled are two things.
        await asyncio.wait([self._work])
        reports = tuple(self._reports)
        try:
            output = result_payload(self._work.result())
        except (AttemptCancelled, asyncio.CancelledError) as stop:
            if self._is_stopped:
                return Outcome(cancelled=True, reports=reports)
            return Outcome(failure=failure_of(stop), reports=reports)
        except Exception as error:  # noqa: BLE001  Whatever a handler raises is its outcome.
            return Outcome(failure=failure_of(error), reports=reports)
        return Outcome(output=output, reports=reports)


def start(
    handler: Handler[..., Any],
    input: Any = None,
    *,
    task_id: str | None = None,
    attempt: int = 1,
    queue: str = "default",
) -> Trial:
    """Start an attempt inside a running loop, for a test that wants to cancel it or look at it on the way."""
    reports: list[Report] = []
    made = Attempt(
        task_id=task_id or fresh_task_id(),
        type=handler.type,
        attempt=attempt,
        attempt_count=attempt,
        queue=queue,
        input=Payload.of(input),
        report=lambda fraction, message: reports.append(Report(fraction, message)),
    )
    return Trial(handler, made, reports)


async def run(
    handler: Handler[..., Any],
    input: Any = None,
    *,
    task_id: str | None = None,
    attempt: int = 1,
    queue: str = "default",
) -> Outcome:
    """Make an attempt and return how it ended."""
    return await start(handler, input, task_id=task_id, attempt=attempt, queue=queue).outcome()


async def _execute(handler: Handler[..., Any], attempt: Attempt) -> Any:
    if handler.is_coroutine:
        return await handler.execute(attempt.input, attempt)
    result, error = await asyncio.to_thread(_caught, partial(handler.execute, attempt.input, attempt))
    if error is not None:
        raise error
    return result


def _caught(call: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """Call and return what was raised instead of raising it: a future refuses to carry a StopIteration."""
    try:
        return call(), None
    except (Exception, AttemptCancelled, asyncio.CancelledError) as error:  # noqa: BLE001  It is raised again on the other side.
        return None, error

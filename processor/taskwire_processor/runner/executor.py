"""One attempt as a pipeline over one value: what control sent, what the handler returned, what control hears."""

import asyncio
import contextvars
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

from msgspec import Struct

from taskwire.attempt import Attempt
from taskwire.failure import AttemptCancelled, TaskFailure, failure_of, sole
from taskwire.handlers import Handler
from taskwire.payload import Payload, result_payload
from taskwire_processor.runner import wire
from taskwire_processor.runner.progress import ProgressBox
from taskwire_processor.runner.tracebacks import Tracebacks

NO_HANDLER = "NO_HANDLER"
"""The reason when this runner lacks a handler that the first one had: the code on disk has changed meanwhile."""

Handlers = Mapping[str, Handler[..., Any]]


class _Run(Struct, eq=False):
    """An attempt that is being run."""

    key: int
    start: wire.Start
    attempt: Attempt | None
    """Made for handlers that take it: to make one costs 0.6 us, of the 4 that the runner needs for a short one."""
    is_stopped: bool = False
    """Whether the handler was told to stop."""
    has_begun: bool = False
    task: asyncio.Task[None] | None = None
    future: Future[None] | None = None


class Executor:
    """Runs attempts: coroutines on the loop, anything else in a bounded pool of threads."""

    def __init__(self, handlers: Handlers, *, threads: int, send: Callable[[wire.FromRunner], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._handlers = handlers
        self._send = send
        self._progress = ProgressBox(send)
        self._tracebacks = Tracebacks()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="handler")
        self._runs: dict[int, _Run] = {}
        self._is_copy = False

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing runs."""
        return not self._runs

    def start(self, start: wire.Start) -> None:
        """Run an attempt. What becomes of it is sent."""
        handler = self._handlers.get(start.type)
        if handler is None:
            self._send(_raised(start.key, TaskFailure(NO_HANDLER, f"There is no handler for {start.type} here.")))
            return
        payload = None if start.input is None else Payload(start.input, start.is_text, start.content_type)
        run = _Run(start.key, start, self._attempt(start, payload) if handler.takes_attempt else None)
        self._runs[start.key] = run
        if handler.is_coroutine:
            run.task = _begin(self._run_on_loop(run, handler, payload), self._loop)
        else:
            work = partial(self._run_in_thread, run, handler, payload)
            run.future = self._pool.submit(contextvars.copy_context().run, work)

    def stop(self, stop: wire.Stop) -> None:
        """Tell a handler to stop: a coroutine is cancelled, others see it in their `Attempt`."""
        run = self._runs.get(stop.key)
        if run is None:
            return
        run.is_stopped = True
        if run.attempt is not None:
            run.attempt.stop()
        if run.task is not None:
            run.task.cancel()
            if not run.has_begun:
                # A task that is cancelled before its first step runs no line of its coroutine (CPython 3.11).
                self._finish(run, wire.Unwound(run.key, has_begun=False))
        elif run.future is not None and run.future.cancel():
            self._finish(run, wire.Unwound(run.key, has_begun=False))

    def disown(self) -> None:
        """Answer for nothing any more, in a copy of this process: it ends with the handler that has made it."""
        self._is_copy = True

    def close(self) -> None:
        """Let idle threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _attempt(self, start: wire.Start, payload: Payload | None) -> Attempt:
        return Attempt(
            task_id=start.task_id,
            type=start.type,
            attempt=start.attempt,
            attempt_count=start.attempt_count,
            queue=start.queue,
            input=payload,
            created_at=datetime.fromtimestamp(start.created_at, UTC),
            started_at=datetime.fromtimestamp(start.started_at, UTC),
            report=partial(self._progress.report, start.key),
        )

    async def _run_on_loop(self, run: _Run, handler: Handler[..., Any], payload: Payload | None) -> None:
        run.has_begun = True
        try:
            ended: wire.Ended = _returned(run.key, await handler.execute(payload, run.attempt))
        except BaseException as error:  # noqa: BLE001 - nothing a handler raises may end the runner, SystemExit included
            ended = self._ended_by(run, error)
        self._end_if_copy()
        self._finish(run, ended)

    def _run_in_thread(self, run: _Run, handler: Handler[..., Any], payload: Payload | None) -> None:
        run.has_begun = True
        try:
            ended: wire.Ended = _returned(run.key, handler.execute(payload, run.attempt))
        except BaseException as error:  # noqa: BLE001 - as above
            ended = self._ended_by(run, error)
        self._end_if_copy()
        self._loop.call_soon_threadsafe(self._finish, run, ended)

    def _ended_by(self, run: _Run, error: BaseException) -> wire.Ended:
        error = sole(error)
        if isinstance(error, asyncio.CancelledError | AttemptCancelled) and run.is_stopped:
            return wire.Unwound(run.key, has_begun=True)
        if not isinstance(error, TaskFailure):
            self._tracebacks.note(run.start, error)
        return _raised(run.key, failure_of(error))

    def _end_if_copy(self) -> None:
        if self._is_copy:
            os._exit(1)

    def _finish(self, run: _Run, ended: wire.Ended) -> None:
        if self._runs.pop(run.key, None) is not None:
            self._progress.forget(run.key)
            self._send(ended)


def _begin(attempt: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
    """Run a coroutine up to where it first waits, if it does, and the rest on the loop.

    The attempts of a frame then run one by one, each with all it needs in the cache, instead of 500 that are made first
    and run after that: 11.0 instead of 12.2 us a task in the processor (medians of 16 passes by turns). CPython 3.11
    cannot do it.
    """
    if sys.version_info >= (3, 12):
        return asyncio.Task(attempt, loop=loop, eager_start=True)
    return loop.create_task(attempt)


def _returned(key: int, value: Any) -> wire.Returned:
    payload = result_payload(value)
    if payload is None:
        return wire.Returned(key, None, is_text=False, content_type="")
    return wire.Returned(key, payload.data, payload.is_text, payload.content_type)


def _raised(key: int, failure: TaskFailure) -> wire.Raised:
    return wire.Raised(
        key, failure.reason, failure.message, failure.metadata, failure.retryable, failure.retry_after_seconds
    )

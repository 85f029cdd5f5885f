"""What a handler is told about the attempt that it is."""

import math
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from taskwire.failure import AttemptCancelled, storable
from taskwire.payload import Payload

PROGRESS_MESSAGE_CHARS_MAX = 256

_EVENTS = threading.Lock()
"""Held while the event of an attempt is made: two threads of it may wait."""

Reporter = Callable[[float, str], None]
"""Takes a fraction and a message. Called from whatever thread the handler runs in; must not block."""


class Attempt:
    """One attempt at a task, safe to use from any thread.

    A task may be executed again after its processor was lost, maybe while the first execution still goes on, and then
    with a higher `attempt`. `task_id` is what to give other systems as an idempotency key.
    """

    __slots__ = (
        "_event",
        "_report",
        "_stopped",
        "attempt",
        "attempt_count",
        "created_at",
        "input",
        "queue",
        "started_at",
        "task_id",
        "type",
    )

    def __init__(
        self,
        *,
        task_id: str,
        type: str,
        attempt: int = 1,
        attempt_count: int = 1,
        queue: str = "default",
        input: Payload | None = None,
        created_at: datetime | None = None,
        started_at: datetime | None = None,
        report: Reporter | None = None,
    ) -> None:
        self.task_id = task_id
        self.type = type
        self.attempt = attempt
        self.attempt_count = attempt_count
        self.queue = queue
        self.input = input
        self.created_at = created_at
        self.started_at = started_at
        self._report = report
        self._stopped = False
        self._event: threading.Event | None = None

    @property
    def text(self) -> str:
        """The input as text, empty without an input. Raises UnicodeDecodeError when it is not UTF-8."""
        return self.input.text if self.input else ""

    def json(self) -> Any:
        """Read the input as JSON, None without an input. Raises `msgspec.DecodeError` when it is none."""
        return self.input.json() if self.input else None

    def report(self, fraction: float, message: str = "") -> None:
        """Say how far the attempt has come, from 0 to 1. Cheap: only the newest report counts, the rest is dropped."""
        if self._report is not None:
            bounded = 0.0 if math.isnan(fraction) else min(1.0, max(0.0, float(fraction)))
            self._report(bounded, storable(message, PROGRESS_MESSAGE_CHARS_MAX))

    @property
    def cancelled(self) -> bool:
        """Whether the attempt should stop: it was cancelled, has run out of time, or its processor ends.

        Handlers in threads and processes look at this now and then. Coroutines need not: they get
        `asyncio.CancelledError` at their next await.
        """
        return self._stopped

    def raise_if_cancelled(self) -> None:
        """Raise `AttemptCancelled` when the attempt should stop. Let it out of the handler."""
        if self._stopped:
            raise AttemptCancelled

    def wait(self, seconds: float) -> None:
        """Sleep in a thread or process, but raise `AttemptCancelled` as soon as the attempt should stop."""
        with _EVENTS:
            event = self._event = self._event or threading.Event()
        # The flag is read after the event is in place, and `stop` sets them in the other order: one of them sees it.
        if self._stopped or event.wait(seconds):
            raise AttemptCancelled

    def stop(self) -> None:
        """Tell the handler to stop. For whoever runs it; harmless to repeat."""
        self._stopped = True
        if self._event is not None:
            self._event.set()

"""Where a handler broke: a line of the log. The failure of a task has only the class and the text of the exception."""

import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from taskwire_processor.runner import wire
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

PAUSE_SECONDS = 10.0
"""Between two lines about one class of exceptions in handlers of one type. What breaks, breaks often."""
KINDS_MAX = 1_000
"""Of those that are remembered. Past it all are forgotten."""
TEXT_CHARS_MAX = 16 * 1024
"""Of a traceback. Of a longer one the middle is left out."""
_FRAMES_MAX = 50

_log = logs.get(__name__)
_Kind = tuple[str, type[BaseException]]


class Tracebacks:
    """Logs what handlers raise, each kind of it now and then. To be used from any thread; never raises."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Take a clock whose seconds only go forward."""
        self._clock = clock
        self._lock = threading.Lock()
        self._quiet_until: dict[_Kind, float] = {}
        self._left_out: dict[_Kind, int] = {}

    def note(self, start: wire.Start, error: BaseException) -> None:
        """Take note that the attempt of `start` ended by `error`, which is no `TaskFailure`."""
        left_out = self._turn((start.type, type(error)))
        if left_out is None:
            return
        # Whatever a class of somebody's does when it is looked at: the attempt has its end all the same.
        with suppress(Exception):
            _log.warning(
                Event.HANDLER_RAISED,
                task_id=start.task_id,
                attempt=start.attempt,
                type=start.type,
                left_out=left_out,
                exception=_text(error),
            )

    def _turn(self, kind: _Kind) -> int | None:
        """Return how many of this kind were left out since the last one, or None to leave out this one too."""
        now = self._clock()
        with self._lock:
            if now < self._quiet_until.get(kind, now):
                self._left_out[kind] = self._left_out.get(kind, 0) + 1
                return None
            if len(self._quiet_until) >= KINDS_MAX:
                self._quiet_until.clear()
                self._left_out.clear()
            self._quiet_until[kind] = now + PAUSE_SECONDS
            return self._left_out.pop(kind, 0)


def _text(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error, limit=-_FRAMES_MAX)).rstrip()
    half = TEXT_CHARS_MAX // 2
    return text if len(text) <= TEXT_CHARS_MAX else f"{text[:half]}…{text[-half:]}"

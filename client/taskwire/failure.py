"""How an attempt fails: what a handler raises, and what becomes of anything else that it raises."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

REASON_CHARS_MAX = 63
MESSAGE_CHARS_MAX = 1024
METADATA_ENTRIES_MAX = 16
METADATA_CHARS_MAX = 255
"""Of each key and each value."""

UNHANDLED_EXCEPTION = "UNHANDLED_EXCEPTION"
"""The reason of the failure when a handler raises anything but `TaskFailure`. The metadata's `type` names the class."""

RETRY_AFTER_SECONDS_MAX = 365 * 24 * 3600

_NOT_IN_REASON = re.compile(r"[^A-Z0-9_]+")
_UNNAMED = "FAILED"


class TaskFailure(Exception):
    """Raise it in a handler to say why the attempt failed and whether another may follow.

    `reason` is a constant in UPPER_SNAKE_CASE that programs can compare; `message` is for people. `retry_after`, in
    seconds, replaces the backoff before the next attempt. What is too long for the service is cut, and what is not
    allowed is replaced: a failure is always reported.
    """

    def __init__(
        self,
        reason: str,
        message: str = "",
        metadata: Mapping[str, str] | None = None,
        *,
        retryable: bool = True,
        retry_after: float | timedelta | None = None,
    ) -> None:
        super().__init__(reason, message)
        self.reason = _NOT_IN_REASON.sub("_", reason.upper())[:REASON_CHARS_MAX] or _UNNAMED
        self.message = storable(message, MESSAGE_CHARS_MAX)
        self.metadata = {
            storable(key, METADATA_CHARS_MAX): storable(value, METADATA_CHARS_MAX)
            for key, value in list((metadata or {}).items())[:METADATA_ENTRIES_MAX]
        }
        self.retryable = retryable
        self.retry_after_seconds = _seconds(retry_after)

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}" if self.message else self.reason


class AttemptCancelled(BaseException):
    """The attempt was told to stop. Not an `Exception`, so that `except Exception` does not swallow it."""


def sole(error: BaseException) -> BaseException:
    """Return the one exception in a group of one, as a `TaskGroup` raises it, and anything else as it is."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def failure_of(error: BaseException) -> TaskFailure:
    """Return what is reported of `error`: itself when it is a `TaskFailure`, else an `UNHANDLED_EXCEPTION`."""
    error = sole(error)
    if isinstance(error, TaskFailure):
        # Once more: a subclass may not have called it, and anybody may have changed what it had set.
        with suppress(Exception):
            TaskFailure.__init__(
                error,
                error.reason,
                error.message,
                error.metadata,
                retryable=bool(error.retryable),
                retry_after=error.retry_after_seconds,
            )
            return error
    kind = type(error)
    return TaskFailure(UNHANDLED_EXCEPTION, _text_of(error), {"type": f"{kind.__module__}.{kind.__qualname__}"})


def storable(text: object, chars_max: int) -> str:
    """Return `text` as the service can store it: cut to `chars_max`, NUL and lone surrogates replaced."""
    whole = str(text).encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return whole if len(whole) <= chars_max else whole[: chars_max - 1] + "…"


def _text_of(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001  A broken __str__ of somebody's exception must not hide that it was raised.
        return type(error).__name__


def _seconds(retry_after: float | timedelta | None) -> float | None:
    if retry_after is None:
        return None
    seconds = retry_after.total_seconds() if isinstance(retry_after, timedelta) else float(retry_after)
    # A NaN is not greater than 0 either.
    return min(seconds, RETRY_AFTER_SECONDS_MAX) if seconds > 0 else 0.0

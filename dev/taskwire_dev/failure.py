"""What stops a start, in words for the person who typed the command."""

from pathlib import Path

_TAIL_LINES = 12
"""Enough for the cause and what led to it, and still one screen."""
_TAIL_BYTES = 16 * 1024


class StartFailed(Exception):
    """Something could not be started. The message is complete: it is shown without a traceback."""


def tail_of(log: Path, since: int = 0) -> str:
    """Return the last lines of a log behind byte `since`, indented, to be put below a message."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(since, size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError as error:
        return f"    (its log {log} cannot be read: {error.strerror})"
    return "\n".join(f"    {line}" for line in lines[-_TAIL_LINES:])

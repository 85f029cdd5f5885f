"""Show a person what matters in the logs of the services."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

_POLL_SECONDS = 0.2
_CHUNK_BYTES_MAX = 256 * 1024
"""What is read at a time; more waits for the next look."""
_WARNINGS = {"warning", "error", "critical"}
_COMMON_KEYS = {"event", "level", "timestamp", "logger"}


class LogReader:
    """Reads what is added to a log from now on, also after it was moved aside."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = log.stat().st_size if log.exists() else 0

    async def follow(self, show: Callable[[str], None], *, everything: bool) -> None:
        """Call `show` with every new line that is a warning or worse, or with `everything`. Does not end."""
        while True:
            for line in self.new_lines():
                shown = line if everything else warning_in(line)
                if shown:
                    show(shown)
            await asyncio.sleep(_POLL_SECONDS)

    def new_lines(self) -> list[str]:
        """Return the whole lines that were added since the last call."""
        try:
            with self._log.open("rb") as file:
                if file.seek(0, 2) < self._offset:
                    self._offset = 0
                file.seek(self._offset)
                added = file.read(_CHUNK_BYTES_MAX)
        except OSError:
            return []
        whole = added[: added.rfind(b"\n") + 1] if len(added) < _CHUNK_BYTES_MAX else added
        self._offset += len(whole)
        return whole.decode(errors="replace").splitlines()


def warning_in(line: str) -> str | None:
    """Return a line of JSON as text when its level is warning or above."""
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    if not isinstance(fields, dict) or fields.get("level") not in _WARNINGS:
        return None
    rest = " ".join(f"{key}={value}" for key, value in fields.items() if key not in _COMMON_KEYS)
    return f"{fields['level']}: {fields.get('event', '')} {rest}".rstrip()

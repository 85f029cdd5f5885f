"""Progress reports on their way to control: only the newest of each attempt, a few times a second."""

import asyncio
from collections.abc import Callable

from taskwire_processor.runner import wire

PAUSE_SECONDS = 0.2
"""Between two rounds of reports. Watchers are promised news within a second, and control and gateway pause as well."""


class ProgressBox:
    """Takes reports from any thread and sends the newest of each attempt."""

    def __init__(self, send: Callable[[wire.FromRunner], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._send = send
        self._newest: dict[int, tuple[float, str]] = {}
        self._is_armed = False

    def report(self, key: int, fraction: float, message: str) -> None:
        """Take a report. Safe in any thread, never blocks."""
        self._newest[key] = (fraction, message)
        if not self._is_armed:
            self._is_armed = True
            self._loop.call_soon_threadsafe(self._arm)

    def forget(self, key: int) -> None:
        """Drop what an attempt that has ended had reported."""
        self._newest.pop(key, None)

    def _arm(self) -> None:
        self._loop.call_later(PAUSE_SECONDS, self._flush)

    def _flush(self) -> None:
        # In this order: a report that comes in between arms anew.
        self._is_armed = False
        newest, self._newest = self._newest, {}
        for key, (fraction, message) in newest.items():
            self._send(wire.Reported(key, fraction, message))

"""The open watches of this process: how many, how old, and their end."""

import asyncio
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager

from taskwire_gateway.alarm import Alarm
from taskwire_shared.domain.errors import TooManyWatches, WatchMoved
from taskwire_shared.telemetry.metrics import GatewayMetrics

AGE_JITTER = 0.1
"""Ages differ by up to this part, so that watches that were opened together do not come back together."""
HEARTBEAT_PART = 0.8
"""A heartbeat is sent when this part of the promised interval has passed, so that it arrives within it."""
WAVE_WATCHES = 200
"""Ended at once when the gateway stops; their callers come back in as many waves."""
WAVE_SECONDS_MAX = 2.0
"""For all waves together."""


class Watch:
    """One open watch, with its clock."""

    __slots__ = ("_heartbeat_seconds", "alarm", "ends_at", "heartbeat_at")

    def __init__(self, age_seconds: float, heartbeat_seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        self.alarm = Alarm()
        self.ends_at = now + age_seconds * random.uniform(1 - AGE_JITTER, 1 + AGE_JITTER)  # noqa: S311
        self._heartbeat_seconds = heartbeat_seconds * HEARTBEAT_PART
        self.heartbeat_at = now + self._heartbeat_seconds

    @property
    def heartbeat_is_due(self) -> bool:
        """Tell whether nothing has been sent for so long that a heartbeat must be."""
        return asyncio.get_running_loop().time() >= self.heartbeat_at

    def spoke(self) -> None:
        """Take note that something has just been sent."""
        self.heartbeat_at = asyncio.get_running_loop().time() + self._heartbeat_seconds

    def check_age(self) -> None:
        """Raise `WatchMoved` when the watch has come to its end."""
        if asyncio.get_running_loop().time() >= self.ends_at:
            raise WatchMoved

    async def wait(self) -> None:
        """Wait for the alarm, the next heartbeat or the end."""
        await self.alarm.wait(min(self.heartbeat_at, self.ends_at))


class Watches:
    """Opens watches up to a limit, and ends them when the gateway stops."""

    def __init__(self, limit: int, age_seconds: float, heartbeat_seconds: float, metrics: GatewayMetrics) -> None:
        self.heartbeat_seconds = heartbeat_seconds
        self._limit = limit
        self._age_seconds = age_seconds
        self._metrics = metrics
        self._open: set[Watch] = set()
        self._leaving = False

    @contextmanager
    def open(self, method: str, *, silence_seconds_max: float = math.inf) -> Iterator[Watch]:
        """Open a watch for the time of a block. Raises `TooManyWatches` or, when the gateway stops, `WatchMoved`."""
        if self._leaving:
            raise WatchMoved
        if len(self._open) >= self._limit:
            raise TooManyWatches(self._limit)
        watch = Watch(self._age_seconds, min(self.heartbeat_seconds, silence_seconds_max))
        gauge = self._metrics.open_watches.labels(method)
        self._open.add(watch)
        gauge.inc()
        try:
            yield watch
        finally:
            gauge.dec()
            self._open.discard(watch)

    async def leave(self) -> None:
        """End every watch, in waves, and open no more."""
        self._leaving = True
        await self.move_all()

    async def move_all(self) -> None:
        """End every watch that is open now, in waves."""
        ending = list(self._open)
        waves = [ending[start : start + WAVE_WATCHES] for start in range(0, len(ending), WAVE_WATCHES)]
        for wave in waves:
            for watch in wave:
                watch.ends_at = 0.0
                watch.alarm.ring()
            await asyncio.sleep(WAVE_SECONDS_MAX / len(waves) if len(waves) > 1 else 0)

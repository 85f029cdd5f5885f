"""Notices a processor that is alive and deaf: tasks wait that were rung for, and it hears nothing."""

import asyncio
from collections.abc import Sequence

from taskwire_shared.bus.connection import Bus
from taskwire_shared.bus.ear import Ear
from taskwire_shared.bus.rings import Ringer
from taskwire_shared.domain.ready import Ready
from taskwire_shared.domain.task import ClaimedTask, TaskPriority
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

RUNG_SECONDS_MIN = 2.0
"""A younger task may have its ring on the way."""
RUNG_SECONDS_MAX = 50.0
"""The ring of an older task may have been dropped unheard while everybody was busy."""
SILENT_SECONDS_MAX = 10.0
"""How long nothing is heard, although rings were asked for all the while, before the connection is made anew: three
looks at the usual pace, each of which sends probes."""
REBUILDS_MAX = 3
"""New connections that helped nothing before this processor ends for another to take its place."""
PROBES_MAX = 8
"""Rings that are sent to be heard, one for each queue. Other processors hear some of them."""

log = logs.get(__name__)


class Deafness:
    """Compares what the slow claim finds with what the ear hears."""

    def __init__(self, bus: Bus, ear: Ear, ringer: Ringer) -> None:
        self.is_hopeless = asyncio.Event()
        """Set when new connections have not helped."""
        self._bus = bus
        self._ear = ear
        self._ringer = ringer
        self._clock = asyncio.get_running_loop().time
        self._signs = 0
        self._silent_since = self._clock()
        self._rebuilds = 0

    def asked_for(self, ids: int) -> None:
        """Take note of how many ids the ear was asked for. Who asks for none hears none, which proves nothing."""
        if ids <= 0:
            self._silent_since = self._clock()

    def judge(self, found: Sequence[ClaimedTask]) -> None:
        """Take note of what a slow claim has found."""
        if self._ear.signs != self._signs or not self._bus.is_connected:
            # Hearing, or known to be cut off: the connection mends itself. Rings alone would not tell, since those of
            # tasks that only we can run may all be heard by others.
            self._signs = self._ear.signs
            self._silent_since = self._clock()
            self._rebuilds = 0
            return
        unheard = [task for task in found if _was_rung(task)]
        if not unheard:
            return
        self._ringer.ring(Ready(task.id, task.queue, TaskPriority.NORMAL) for task in _probes(unheard))
        if self._clock() - self._silent_since >= SILENT_SECONDS_MAX:
            self._act()

    def _act(self) -> None:
        if self._rebuilds >= REBUILDS_MAX:
            self.is_hopeless.set()
            return
        self._silent_since = self._clock()
        self._rebuilds += 1
        log.warning(Event.BUS_DEAF, rebuilds=self._rebuilds)
        self._bus.rebuild()


def _was_rung(task: ClaimedTask) -> bool:
    return task.attempt == 1 and RUNG_SECONDS_MIN <= task.waited_seconds <= RUNG_SECONDS_MAX


def _probes(tasks: Sequence[ClaimedTask]) -> list[ClaimedTask]:
    return list({task.queue: task for task in tasks}.values())[:PROBES_MAX]

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
ROUNDS_MAX = 3
"""Silent looks, one every few seconds, before the connection is made anew."""
REBUILDS_MAX = 3
"""New connections that helped nothing before this processor ends for another to take its place."""
PROBES_MAX = 8
"""Rings that are sent to be heard. Other processors hear some of them."""

log = logs.get(__name__)


class Deafness:
    """Compares what the slow claim finds with what the ear hears."""

    def __init__(self, bus: Bus, ear: Ear, ringer: Ringer) -> None:
        self.is_hopeless = asyncio.Event()
        """Set when new connections have not helped."""
        self._bus = bus
        self._ear = ear
        self._ringer = ringer
        self._heard = 0
        self._listened = True
        self._rounds = 0
        self._rebuilds = 0

    def asked_for(self, ids: int) -> None:
        """Take note of how many ids the ear was asked for. Who asks for none hears none, which proves nothing."""
        self._listened = self._listened and ids > 0

    def judge(self, found: Sequence[ClaimedTask]) -> None:
        """Take note of what a slow claim has found."""
        heard, self._heard = self._heard, self._ear.heard
        listened, self._listened = self._listened, True
        if not listened:
            return
        if self._ear.heard != heard or not self._bus.is_connected:
            # Hearing, or known to be cut off: the connection mends itself.
            self._rounds = self._rebuilds = 0
            return
        unheard = [task for task in found if _was_rung(task)]
        if not unheard:
            return
        self._rounds += 1
        self._ringer.ring(Ready(task.id, task.queue, TaskPriority.NORMAL) for task in _probes(unheard))
        if self._rounds >= ROUNDS_MAX:
            self._act()

    def _act(self) -> None:
        self._rounds = 0
        if self._rebuilds >= REBUILDS_MAX:
            self.is_hopeless.set()
            return
        self._rebuilds += 1
        log.warning(Event.BUS_DEAF, rebuilds=self._rebuilds)
        self._bus.rebuild()


def _was_rung(task: ClaimedTask) -> bool:
    age = (task.started_at - task.created_at).total_seconds()
    return task.attempt == 1 and RUNG_SECONDS_MIN <= age <= RUNG_SECONDS_MAX


def _probes(tasks: Sequence[ClaimedTask]) -> list[ClaimedTask]:
    """Return one task of each queue, repeated: a ring carries many ids, and one id each makes many rings."""
    of_queues = list({task.queue: task for task in tasks}.values())
    return of_queues[:PROBES_MAX]

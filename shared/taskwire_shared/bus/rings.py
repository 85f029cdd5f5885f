"""Rings: hints that tasks are ready, by queue and priority, with nothing in them but identifiers."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from time import monotonic
from uuid import UUID

from taskwire_shared.bus.connection import Bus
from taskwire_shared.domain.ready import Ready
from taskwire_shared.domain.task import TaskPriority
from taskwire_shared.identifiers import identifier
from taskwire_shared.rate import Rate

RING_IDS_MIN = 64
"""That one ring names, where there are so many. With one each a processor ran 20,060 tasks/s, with up to 64 about
30,000."""
RING_IDS_MAX = 500
"""With up to 64 in a ring, control and NATS used 2 of 64 us more for a task at full speed than with up to 250 (6 passes
by turns), and with that 1 more than with up to 500."""
RINGS_PER_SECOND = 50
"""A ring goes to one processor, which may have room for less while others are idle. So rings name more only where there
are so many rings all the same that every processor gets some all the time."""
ID_BYTES = 16
PRIORITY_TOKENS = {TaskPriority.LOW: "low", TaskPriority.NORMAL: "normal", TaskPriority.HIGH: "high"}


class MalformedRingError(ValueError):
    """The message is not a ring."""


def ring_subject(prefix: str, queue: str, priority: TaskPriority) -> str:
    """Name the subject on which `queue` is rung for tasks of `priority`."""
    return f"{prefix}.ring.{queue}.{PRIORITY_TOKENS[priority]}"


def pack(ids: Iterable[UUID]) -> bytes:
    """Make the message of a ring."""
    return b"".join([identifier.bytes for identifier in ids])


def unpack(message: bytes) -> tuple[UUID, ...]:
    """Read the message of a ring, or raise `MalformedRingError`."""
    if not message or len(message) % ID_BYTES or len(message) > RING_IDS_MAX * ID_BYTES:
        raise MalformedRingError
    return tuple([identifier(message[at : at + ID_BYTES]) for at in range(0, len(message), ID_BYTES)])


class Ringer:
    """Rings for tasks that are ready. Never waits, never fails: a ring that is lost is made good by the slow claim."""

    def __init__(self, bus: Bus, clock: Callable[[], float] = monotonic) -> None:
        """Take a clock whose seconds only go forward."""
        self._bus = bus
        self._clock = clock
        self._rung = Rate()

    def ring(self, ready: Iterable[Ready]) -> None:
        """Ring for `ready`, with few rings where many tasks are ready all the time."""
        lines: defaultdict[tuple[str, TaskPriority], list[UUID]] = defaultdict(list)
        for one in ready:
            lines[one.queue, one.priority].append(one.id)
        most = self._ids_in_ring(sum(map(len, lines.values())))
        for (queue, priority), ids in lines.items():
            subject = ring_subject(self._bus.prefix, queue, priority)
            for start in range(0, len(ids), most):
                self._bus.publish(subject, pack(ids[start : start + most]))

    def _ids_in_ring(self, more: int) -> int:
        now = self._clock()
        self._rung.note(more, now)
        return min(RING_IDS_MAX, max(RING_IDS_MIN, int(self._rung.per_second(now) / RINGS_PER_SECOND)))

"""Rings that were heard and wait for free slots."""

from collections import deque
from uuid import UUID

from msgspec import Struct

from taskwire_shared.bus.ear import Ring
from taskwire_shared.domain.ready import Ready
from taskwire_shared.domain.task import TaskPriority


class Pick(Struct, frozen=True):
    """What to claim next."""

    ids: list[UUID]
    rings: list[Ring]
    """To be acknowledged once the ids are claimed."""


class Backlog:
    """Ids in three lanes, the higher priority first and in the order in which they were heard."""

    def __init__(self) -> None:
        self._lanes: dict[TaskPriority, deque[tuple[Ring, tuple[UUID, ...]]]] = {
            priority: deque() for priority in sorted(TaskPriority, reverse=True)
        }
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, ring: Ring) -> None:
        """Put a ring at the end of its lane."""
        self._lanes[ring.priority].append((ring, ring.ids))
        self._count += len(ring.ids)

    def take(self, limit: int) -> Pick:
        """Take up to `limit` ids. Of a ring that names more, the rest stays and needs no further acknowledgement."""
        ids: list[UUID] = []
        rings: list[Ring] = []
        for lane in self._lanes.values():
            while lane and len(ids) < limit:
                ring, waiting = lane.popleft()
                room = limit - len(ids)
                ids += waiting[:room]
                if len(waiting) == len(ring.ids):
                    rings.append(ring)
                if room < len(waiting):
                    lane.appendleft((ring, waiting[room:]))
        self._count -= len(ids)
        return Pick(ids, rings)

    def give_back(self) -> list[Ready]:
        """Leave everything to others: refuse rings that nothing was taken of, and return the rest, to be rung again."""
        rest: list[Ready] = []
        for lane in self._lanes.values():
            for ring, waiting in lane:
                if len(waiting) == len(ring.ids):
                    ring.refuse()
                else:
                    rest += [Ready(one, ring.queue, ring.priority) for one in waiting]
            lane.clear()
        self._count = 0
        return rest

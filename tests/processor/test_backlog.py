"""Rings that wait."""

from uuid import UUID

from taskwire_processor.backlog import Backlog
from taskwire_shared.bus.ear import Ring
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.ready import Ready
from taskwire_shared.domain.task import TaskPriority


class _Ring(Ring):
    __slots__ = ("refused",)

    def __init__(self, count: int, priority: TaskPriority = TaskPriority.NORMAL) -> None:
        self.ids: tuple[UUID, ...] = tuple(new_id() for _ in range(count))
        self.queue = "default"
        self.priority = priority
        self.refused = False

    def refuse(self) -> None:
        self.refused = True


def test_higher_priority_first_then_in_order() -> None:
    backlog = Backlog()
    low, first, second, high = _Ring(1, TaskPriority.LOW), _Ring(2), _Ring(1), _Ring(1, TaskPriority.HIGH)
    for ring in (low, first, second, high):
        backlog.add(ring)
    pick = backlog.take(10)

    assert pick.ids == [*high.ids, *first.ids, *second.ids, *low.ids]
    assert pick.rings == [high, first, second, low]
    assert not backlog


def test_rest_of_a_ring_waits_and_is_acknowledged_once() -> None:
    backlog = Backlog()
    ring = _Ring(5)
    backlog.add(ring)
    first, rest = backlog.take(2), backlog.take(10)

    assert (first.ids, first.rings) == (list(ring.ids[:2]), [ring])
    assert (rest.ids, rest.rings) == (list(ring.ids[2:]), [])


def test_giving_back_refuses_whole_rings_and_names_the_rest_of_others() -> None:
    backlog = Backlog()
    begun, whole = _Ring(3), _Ring(2)
    backlog.add(begun)
    backlog.add(whole)
    backlog.take(1)
    assert len(backlog) == 4
    rest = backlog.give_back()

    assert (begun.refused, whole.refused, len(backlog)) == (False, True, 0)
    assert rest == [Ready(one, begun.queue, begun.priority) for one in begun.ids[1:]]

"""The items of one create request, each named once."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from taskwire_shared.domain.errors import TaskConflict
from taskwire_shared.domain.task import NewTask

Name = UUID | tuple[str, str, str]
"""What makes a task the same as another: its id, or tenant, queue and idempotency key."""


class Batch(Struct, frozen=True):
    """Tasks of one request. No two of `tasks` share an id or a key."""

    tasks: Sequence[NewTask]
    origins: Sequence[int]
    """The index in the request of each of `tasks`."""
    repeats: dict[int, int]
    """The index in the request of an item that repeats an earlier one, and the index of that one."""
    names: frozenset[Name] | set[Name]

    @classmethod
    def of(cls, items: Sequence[NewTask]) -> "Batch":
        """Merge the items that share an id or a key. Raises `TaskConflict` where their contents differ."""
        if len(items) == 1:
            return cls(items, (0,), {}, _names(items[0]))
        if all(item.idempotency_key is None for item in items):
            ids: set[Name] = {item.id for item in items}
            if len(ids) == len(items):
                return cls(items, range(len(items)), {}, ids)
        return _merge(items)


def _merge(items: Sequence[NewTask]) -> Batch:
    first: dict[Name, int] = {}
    origins: list[int] = []
    repeats: dict[int, int] = {}
    for index, item in enumerate(items):
        names = _names(item)
        earlier = min((first[name] for name in names if name in first), default=None)
        if earlier is None:
            origins.append(index)
        else:
            _check_same(items, earlier, index)
            repeats[index] = earlier
        for name in names:
            first.setdefault(name, index if earlier is None else earlier)
    return Batch([items[index] for index in origins], origins, repeats, set(first))


def _check_same(items: Sequence[NewTask], earlier: int, index: int) -> None:
    if items[earlier].request_hash == items[index].request_hash:
        return
    # An id that only the key ties to this item may have been made up by us a moment ago: it says nothing.
    same_id = items[earlier].id == items[index].id
    raise TaskConflict(str(items[earlier].id) if same_id else None, index)


def _names(item: NewTask) -> frozenset[Name]:
    if item.idempotency_key is None:
        return frozenset((item.id,))
    return frozenset((item.id, (item.tenant, item.queue, item.idempotency_key)))

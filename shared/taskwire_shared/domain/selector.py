"""Which tasks a list or a watch is about."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from taskwire_shared.domain.task import Task, TaskState


class TaskSelector(Struct, frozen=True, kw_only=True):
    """Pick tasks: every field that is set must match, and a field of many values matches with one of them."""

    queues: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    states: frozenset[TaskState] | None = None
    """None picks every state; an empty set picks none (the caller named only states that do not exist)."""
    labels: Mapping[str, str] = {}
    min_created_at: datetime | None = None
    max_created_at: datetime | None = None

    def matches(self, task: Task) -> bool:
        """Tell whether `task`, as it was at its version, is picked."""
        return (
            (not self.queues or task.queue in self.queues)
            and (not self.types or task.type in self.types)
            and (self.states is None or task.state in self.states)
            and all(task.labels.get(key) == value for key, value in self.labels.items())
            and (self.min_created_at is None or task.created_at >= self.min_created_at.timestamp())
            and (self.max_created_at is None or task.created_at < self.max_created_at.timestamp())
        )


EVERY_TASK = TaskSelector()

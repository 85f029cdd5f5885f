"""What a ring is about: a task that can be claimed now."""

from uuid import UUID

from msgspec import Struct

from taskwire_shared.domain.task import TaskPriority


class Ready(Struct, frozen=True, gc=False):
    """A task that has just become PENDING."""

    id: UUID
    queue: str
    priority: TaskPriority

"""What the store says has become ready, and the bus rings."""

from uuid import UUID

from msgspec import Struct

from taskwire_shared.domain.task import TaskPriority


class Ready(Struct, frozen=True, gc=False):
    """A task that waits to be claimed from now on."""

    id: UUID
    queue: str
    priority: TaskPriority


class Swept(Struct, frozen=True):
    """What one batch of a sweep has changed."""

    ready: tuple[Ready, ...]
    """To be rung."""
    changed: int
    """Tasks that got a new version, `ready` included. As many as the limit means: there may be more."""

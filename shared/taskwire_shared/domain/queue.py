"""A queue, as a value."""

from datetime import datetime

from msgspec import Struct


class QueueStats(Struct, frozen=True, kw_only=True):
    """How full a queue was at `sampled_at`."""

    scheduled: int
    pending: int
    running: int
    oldest_pending_at: datetime | None
    processors: int
    sampled_at: datetime


class Queue(Struct, frozen=True, kw_only=True):
    """A line of tasks that share limits and defaults."""

    tenant: str
    name: str
    paused: bool
    stats: QueueStats | None = None

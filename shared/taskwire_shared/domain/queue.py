"""A queue, as a value."""

import re
from datetime import datetime

from msgspec import Struct

from taskwire_shared.domain.limits import QUEUE_CHARS_MAX

QUEUE_NAME = re.compile(rf"[a-z][a-z0-9_-]{{0,{QUEUE_CHARS_MAX - 1}}}")
"""What a name of a queue matches as a whole: it is part of a subject on NATS, too."""


class QueueStats(Struct, frozen=True, kw_only=True):
    """How full a queue was at `sampled_at`."""

    scheduled: int
    pending: int
    running: int
    oldest_pending_at: datetime | None
    processors: int
    sampled_at: datetime


class Queue(Struct, frozen=True, kw_only=True):
    """A line of tasks that can be held."""

    tenant: str
    name: str
    paused: bool
    stats: QueueStats | None = None

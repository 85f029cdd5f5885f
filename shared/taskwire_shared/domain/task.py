"""A task and its parts, as values.

They hold nothing that could lead back to them, so that the collector of cycles need not know them (`gc=False`): for
thousands in hand at once, to note that they come and go costs cache misses, and a look for garbage as many more.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from uuid import UUID

from msgspec import Struct

Seconds = float
"""A moment, since 1970. Until 2106 a float tells the microseconds that Postgres has."""

DEFAULT_TENANT = "default"
DEFAULT_QUEUE = "default"


class TaskState(IntEnum):
    """Where a task is in its life. The numbers are those of the API and of the database."""

    SCHEDULED = 1
    """Waits for its time. The sweeper moves it to PENDING."""
    PENDING = 2
    """Ready. A claimer moves it to RUNNING."""
    RUNNING = 3
    """An attempt holds it. The completer, the sweeper or a cancel moves it on."""
    SUCCEEDED = 4
    """Final."""
    FAILED = 5
    """Final."""
    CANCELLED = 6
    """Final."""

    @property
    def is_final(self) -> bool:
        """Tell whether no transition leads out of this state."""
        return self >= TaskState.SUCCEEDED


class TaskPriority(IntEnum):
    """How urgent a task is within its queue. The numbers are those of the API and of the database."""

    LOW = 1
    NORMAL = 2
    HIGH = 3


class WaitReason(IntEnum):
    """Why a task has not started. The numbers are those of the API."""

    NONE = 0
    SCHEDULED = 1
    BACKOFF = 2
    QUEUE_PAUSED = 3
    NO_PROCESSOR = 4
    IN_LINE = 5


class Payload(Struct, frozen=True, gc=False):
    """Opaque data of the caller."""

    data: bytes
    """UTF-8 when `is_text`, any bytes otherwise."""
    is_text: bool = False
    content_type: str = ""


class Failure(Struct, frozen=True):
    """Why an attempt or a task failed."""

    reason: str
    """`UPPER_SNAKE_CASE`, see `limits.FAILURE_REASON_CHARS_MAX`."""
    message: str = ""
    metadata: Mapping[str, str] = {}


class Progress(Struct, frozen=True):
    """The newest report of a running attempt."""

    fraction: float
    message: str
    updated_at: datetime


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """How failed attempts are repeated. None takes the default, see `defaults`."""

    max_attempts: int | None = None
    attempt_timeout_ms: int | None = None
    initial_backoff_ms: int | None = None
    max_backoff_ms: int | None = None


class NewTask(Struct, frozen=True, kw_only=True, gc=False):
    """A valid task that has not been stored yet."""

    id: UUID
    tenant: str
    queue: str
    type: str
    request_hash: bytes
    """16 bytes over everything the caller chose, but neither `id` nor `idempotency_key`."""
    priority: TaskPriority = TaskPriority.NORMAL
    input: Payload | None = None
    retry_policy: RetryPolicy = RetryPolicy()
    schedule_at: datetime | None = None
    expire_at: datetime | None = None
    labels: Mapping[str, str] = {}
    idempotency_key: str | None = None
    retry_of: UUID | None = None


class Task(Struct, frozen=True, kw_only=True, gc=False):
    """A stored task: as it is now, or as it was at `version`."""

    id: UUID
    tenant: str
    queue: str
    type: str
    priority: TaskPriority
    state: TaskState
    version: int
    attempt: int
    """The fence: the number of claims so far."""
    excused: int
    """Of these, the claims that do not count against `max_attempts`."""
    retry_policy: RetryPolicy
    created_at: Seconds
    updated_at: Seconds
    schedule_at: datetime | None = None
    expire_at: datetime | None = None
    started_at: Seconds | None = None
    finished_at: Seconds | None = None
    cancel_requested_at: datetime | None = None
    labels: Mapping[str, str] = {}
    input: Payload | None = None
    """None also where it was not asked for."""
    output: Payload | None = None
    """None also where it was not asked for."""
    failure: Failure | None = None
    last_failure: Failure | None = None
    progress: Progress | None = None
    processor: UUID | None = None
    retry_of: UUID | None = None

    @property
    def attempt_count(self) -> int:
        """Return the attempts started, excused ones left out."""
        return self.attempt - self.excused


class ClaimedTask(Struct, kw_only=True, gc=False):
    """What a processor needs to run the attempt that it has just claimed. Not frozen, for the sake of its input."""

    id: UUID
    attempt: int
    excused: int
    queue: str
    type: str
    priority: TaskPriority = TaskPriority.NORMAL
    input: Payload | None
    """None as well once a runner has it: up to 256 KiB for each attempt in hand need not be kept twice."""
    retry_policy: RetryPolicy
    created_at: Seconds
    started_at: Seconds
    runs_alone: bool
    """Whether the attempt before died with its runner, so that this one gets a runner to itself."""

    @property
    def attempt_count(self) -> int:
        """Return the attempts started, this one included, excused ones left out."""
        return self.attempt - self.excused

    @property
    def waited_seconds(self) -> float:
        """Return how long after its creation the attempt was claimed."""
        return self.started_at - self.created_at

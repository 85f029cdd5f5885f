"""What the statements of the store should do, without a database. For `store_machine`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from taskwire_shared.domain.outcome import Failed, Fence, HandedBack, RunnerLost, Stopped
from taskwire_shared.domain.task import Failure, NewTask, TaskPriority, TaskState

S = TaskState
RETRY_SECONDS = 12 * 3600.0
BOOM = Failure(reason="BOOM", message="it broke")

OUTCOMES: dict[str, Callable[[Fence], Failed | HandedBack | Stopped | RunnerLost]] = {
    "fail": lambda fence: Failed(fence, BOOM, BOOM),
    "retry": lambda fence: Failed(fence, BOOM, retry_in_seconds=RETRY_SECONDS),
    "hand back": HandedBack,
    "stop": Stopped,
    "take back": lambda fence: RunnerLost(fence, BOOM),
}
"""Ways to end an attempt without success."""


@dataclass(kw_only=True)
class Row:
    """A task."""

    id: UUID
    queue: str
    type: str
    priority: TaskPriority
    max_attempts: int
    state: TaskState
    has_timeout: bool
    expires: bool
    key: str | None
    version: int = 1
    attempt: int = 0
    excused: int = 0
    processor: UUID | None = None
    cancel_requested: bool = False
    is_expired: bool = False
    progress: float | None = None
    is_due: bool = False
    """Whether its time to start, or the end of its attempt's time, was made to come."""
    history: list[tuple[Any, ...]] = field(default_factory=list)

    def facts(self) -> tuple[Any, ...]:
        """Return what the database knows as well."""
        return (self.version, self.state, self.attempt, self.excused, self.processor, self.cancel_requested)

    def move(self, state: TaskState, **changed: Any) -> None:
        """Make the next version."""
        # A request to cancel leaves the attempt as it is, its time included.
        self.is_due = self.is_due and state is S.RUNNING
        self.state, self.version = state, self.version + 1
        for name, value in changed.items():
            setattr(self, name, value)
        self.history.append(self.facts())

    def give_up(self, how: str) -> None:
        """End the attempt without success."""
        is_exhausted = self.attempt - self.excused >= self.max_attempts
        if self.cancel_requested:
            self.move(S.CANCELLED)
        elif how in {"hand back", "stop"}:
            self.move(S.PENDING, excused=self.excused + 1)
        elif how == "fail" or is_exhausted:
            self.move(S.FAILED)
        elif how == "take back":
            self.move(S.PENDING)
        else:
            self.move(S.FAILED if self.is_expired else S.SCHEDULED)

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return not self.state.is_final

    @property
    def is_running(self) -> bool:
        """Whether an attempt holds it."""
        return self.state is S.RUNNING

    @property
    def can_come_due(self) -> bool:
        """Whether its time can come that it starts, or that its attempt is over."""
        return self.state is S.SCHEDULED or (self.state is S.RUNNING and self.has_timeout)

    @property
    def can_expire(self) -> bool:
        """Whether it has an expiry, and that matters yet."""
        return self.expires and not self.state.is_final

    @property
    def is_owed(self) -> bool:
        """Whether the sweeper has something to do."""
        if self.state is S.RUNNING:
            return self.is_due
        return not self.state.is_final and (self.is_due or self.is_expired)


class Model:
    """The tables."""

    def __init__(self) -> None:
        self.rows: dict[UUID, Row] = {}
        self.leases: dict[UUID, bool] = {}
        self.paused: set[str] = set()

    def create(self, task: NewTask) -> None:
        """Store a task that is new."""
        row = Row(
            id=task.id,
            queue=task.queue,
            type=task.type,
            priority=task.priority,
            max_attempts=task.retry_policy.max_attempts or 0,
            state=S.SCHEDULED if task.schedule_at else S.PENDING,
            has_timeout=task.retry_policy.attempt_timeout_ms is not None,
            expires=task.expire_at is not None,
            key=task.idempotency_key,
        )
        row.history.append(row.facts())
        self.rows[task.id] = row

    def claimable(self, holder: UUID, types: list[str]) -> list[Row]:
        """Return what a processor may claim."""
        return [
            row
            for row in self.rows.values()
            if self.leases[holder] and row.state is S.PENDING and row.type in types
            if row.queue not in self.paused and not row.is_expired
        ]

    def claim(self, holder: UUID, ids: Iterable[UUID]) -> list[Fence]:
        """Give tasks to a processor."""
        fences = []
        for row in (self.rows[task_id] for task_id in ids):
            row.move(S.RUNNING, attempt=row.attempt + 1, processor=holder, progress=None)
            assert not row.cancel_requested
            assert row.attempt - row.excused <= row.max_attempts
            fences.append(Fence(row.id, row.attempt))
        return fences

    def holds(self, holder: UUID, fence: Fence) -> bool:
        """Tell whether this attempt of this processor is the one that may end."""
        row = self.rows[fence.task_id]
        return (row.state, row.attempt, row.processor) == (S.RUNNING, fence.attempt, holder)

    def held_by(self, holder: UUID) -> list[Row]:
        """Return what runs under a processor."""
        return [row for row in self.rows.values() if row.state is S.RUNNING and row.processor == holder]

    def ended(self, holder: UUID, fence: Fence) -> TaskState | None:
        """Return what an attempt came to, None while it runs or where there was none."""
        ends = [
            state
            for _, state, attempt, _, processor, _ in self.rows[fence.task_id].history
            if (attempt, processor) == (fence.attempt, holder) and state is not S.RUNNING
        ]
        return ends[0] if ends else None

    def cancel(self, task: UUID) -> None:
        """Cancel, or ask for it, once."""
        row = self.rows[task]
        if not (row.state.is_final or row.cancel_requested):
            row.move(S.RUNNING if row.state is S.RUNNING else S.CANCELLED, cancel_requested=True)

    def do_what_is_owed(self) -> list[Row]:
        """Start, expire and time out what is due, and return it."""
        owed = [row for row in self.rows.values() if row.is_owed]
        for row in owed:
            if row.state is S.RUNNING:
                row.give_up("retry")
            else:
                row.move(S.FAILED if row.is_expired else S.PENDING)
        return owed

    def take_back(self) -> list[Row]:
        """Take back what the dead hold, and return it."""
        lost = [
            row
            for row in self.rows.values()
            if row.state is S.RUNNING and row.processor is not None and not self.leases[row.processor]
        ]
        for row in lost:
            row.give_up("take back")
        return lost

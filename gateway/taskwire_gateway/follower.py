"""What one `WatchTask` has been dealt and has not sent yet."""

from collections import deque
from uuid import UUID

from taskwire_gateway.alarm import Alarm
from taskwire_shared.domain.task import Progress, Task

BUFFER_VERSIONS_MAX = 16
"""More than a task goes through in a few attempts. A reader that is further behind reads from the table."""


class Follower:
    """Keeps the versions of one task in order and without gaps, or says that it is behind."""

    __slots__ = ("_alarm", "_next", "_versions", "is_behind", "is_running", "progress", "task_id")

    def __init__(self, task_id: UUID, alarm: Alarm) -> None:
        self.task_id = task_id
        self.is_behind = False
        """Whether versions must be read from the table, because they were missed or were too many."""
        self.is_running = False
        """Whether the watcher last saw an attempt in progress, so that progress is of interest."""
        self.progress: Progress | None = None
        """The newest report."""
        self._alarm = alarm
        self._next: int | None = None
        self._versions: deque[Task] = deque()

    @property
    def known_version(self) -> int | None:
        """The newest version that the watcher has or will get from here; None while nobody can say."""
        return None if self._next is None or self.is_behind else self._next - 1

    def follow_from(self, version: int) -> None:
        """Expect the versions after `version`, unless some were missed in between."""
        self._next = version + 1

    def fall_back(self) -> None:
        """Forget what is at hand: the watcher reads from the table and calls `follow_from` afterwards."""
        self._versions.clear()
        self.is_behind = False
        self._next = None

    def offer(self, task: Task) -> None:
        """Take a version that has been committed."""
        if self.is_behind or (self._next is not None and task.version < self._next):
            return
        if task.version != self._next or len(self._versions) >= BUFFER_VERSIONS_MAX:
            self.miss()
            return
        self._versions.append(task)
        self._next += 1
        self._alarm.ring()

    def miss(self) -> None:
        """Take note that there are versions that are not here."""
        self._versions.clear()
        self.is_behind = True
        self._alarm.ring()

    def report(self, progress: Progress) -> None:
        """Take a report of the running attempt."""
        if self.progress is None or progress.updated_at > self.progress.updated_at:
            self.progress = progress
            self._alarm.ring()

    def take(self) -> Task | None:
        """Return the next version, or None when there is none at hand."""
        return self._versions.popleft() if self._versions else None

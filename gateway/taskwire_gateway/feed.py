"""What one `WatchTasks` has been dealt and has not sent yet."""

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from taskwire_gateway.alarm import Alarm
from taskwire_gateway.changes_response import encode_change
from taskwire_gateway.convert import task_message
from taskwire_shared.domain.selector import TaskSelector
from taskwire_shared.domain.task import Task
from taskwire_shared.store.events import FeedPage
from taskwire_shared.store.positions import Position

BUFFER_CHANGES_MAX = 20_000
"""Most of them are shared with the other feeds. At 10,000 changes/s a reader may stand still for two seconds."""


class Change:
    """A version of a task and, once somebody wants it, its encoding."""

    __slots__ = ("_encoded", "task", "xid")

    def __init__(self, task: Task, xid: int) -> None:
        self.task = task
        self.xid = xid
        """The transaction that has written it."""
        self._encoded = b""

    @property
    def encoded(self) -> bytes:
        """The version in `TASK_VIEW_BASIC` as `changes_response` takes it, made once for all feeds."""
        if not self._encoded:
            self._encoded = encode_change(task_message(self.task))
        return self._encoded


def changes_of(page: FeedPage[Task]) -> list[Change]:
    """Return the changes on `page`."""
    return list(map(Change, page.items, page.xids))


class Stretch(Struct, frozen=True):
    """Changes, and the position behind them."""

    changes: Sequence[Change]
    position: Position


class Feed:
    """Keeps the changes that one watcher wants, up to a limit."""

    __slots__ = ("_alarm", "_count", "_selector", "_stretches", "_tenant", "has_overflown", "position")

    def __init__(self, tenant: str, selector: TaskSelector, alarm: Alarm) -> None:
        self.has_overflown = False
        """Whether changes were dropped: the feed is of no use any more."""
        self.position: Position | None = None
        """Behind everything dealt so far; None before the feed has joined."""
        self._tenant = tenant
        self._selector = selector
        self._alarm = alarm
        self._stretches: deque[Stretch] = deque()
        self._count = 0

    def wants(self, task: Task) -> bool:
        """Tell whether the watcher is to see `task`."""
        return task.tenant == self._tenant and self._selector.matches(task)

    def pick(self, page: FeedPage[Task]) -> list[Change]:
        """Return the changes on `page` that the watcher is to see."""
        return [change for change in changes_of(page) if self.wants(change.task)]

    def offer(self, changes: Sequence[Change], position: Position) -> None:
        """Take what has been committed up to `position`."""
        self.position = position
        wanted = [change for change in changes if self.wants(change.task)]
        if not wanted or self.has_overflown:
            return
        self._count += len(wanted)
        if self._count > BUFFER_CHANGES_MAX:
            self.has_overflown = True
            self._stretches.clear()
        else:
            self._stretches.append(Stretch(wanted, position))
        self._alarm.ring()

    def take(self, changes_max: int) -> Stretch | None:
        """Return what comes next, several stretches as one while they fit; None when there is nothing."""
        if not self._stretches:
            return None
        stretch = self._stretches.popleft()
        changes = list(stretch.changes)
        while self._stretches and len(changes) + len(self._stretches[0].changes) <= changes_max:
            stretch = self._stretches.popleft()
            changes += stretch.changes
        self._count -= len(changes)
        return Stretch(changes, stretch.position)

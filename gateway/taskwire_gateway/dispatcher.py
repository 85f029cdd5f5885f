"""Who watches what in this process. The tailer deals what it reads to them, through here."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID

from taskwire_gateway.alarm import Alarm
from taskwire_gateway.feed import Feed, changes_of
from taskwire_gateway.follower import Follower
from taskwire_shared.domain.task import Progress, Task
from taskwire_shared.store.events import FeedPage


class Dispatcher:
    """Hands changes to the watchers concerned. Nothing here waits."""

    def __init__(self) -> None:
        self._followers: dict[UUID, list[Follower]] = {}
        self._feeds: set[Feed] = set()

    @property
    def has_watchers(self) -> bool:
        """Tell whether anybody watches anything."""
        return bool(self._followers or self._feeds)

    @property
    def has_feeds(self) -> bool:
        """Tell whether anybody watches everything."""
        return bool(self._feeds)

    @contextmanager
    def follow(self, task_id: UUID, alarm: Alarm) -> Iterator[Follower]:
        """Deal the versions of one task for the time of a block."""
        follower = Follower(task_id, alarm)
        others = self._followers.setdefault(task_id, [])
        others.append(follower)
        try:
            yield follower
        finally:
            others.remove(follower)
            if not others and self._followers.get(task_id) is others:
                del self._followers[task_id]

    def add(self, feed: Feed) -> None:
        """Deal every change to `feed` from now on."""
        self._feeds.add(feed)

    @contextmanager
    def dealing_to(self, feed: Feed) -> Iterator[None]:
        """Deal to `feed`, once it was added, until the end of a block."""
        try:
            yield
        finally:
            self._feeds.discard(feed)

    def followed(self, ids: Iterable[UUID]) -> list[tuple[UUID, int]]:
        """Return which of `ids` are followed, and the version up to which all of their followers know them.

        Followers who could not use the newer ones are told that they have missed them.
        """
        wanted: list[tuple[UUID, int]] = []
        for task_id in set(ids).intersection(self._followers):
            known = [follower.known_version for follower in self._followers[task_id]]
            for follower in self._followers[task_id]:
                if follower.known_version is None:
                    follower.miss()
            versions = [version for version in known if version is not None]
            if versions:
                wanted.append((task_id, min(versions)))
        return wanted

    def deal(self, tasks: Iterable[Task]) -> None:
        """Hand versions, those of a task in order, to its followers."""
        for task in tasks:
            for follower in self._followers.get(task.id, ()):
                follower.offer(task)

    def deal_page(self, page: FeedPage[Task]) -> None:
        """Hand everything on `page` to the feeds."""
        changes = changes_of(page)
        for feed in self._feeds:
            feed.offer(changes, page.position)

    def miss(self, ids: Iterable[UUID]) -> None:
        """Tell the followers of `ids` that there are versions they were not dealt."""
        for task_id in ids:
            for follower in self._followers.get(task_id, ()):
                follower.miss()

    def running(self) -> list[UUID]:
        """Return the followed tasks of which an attempt was last seen in progress."""
        return [
            task_id
            for task_id, followers in self._followers.items()
            if any(follower.is_running for follower in followers)
        ]

    def report(self, progress: dict[UUID, Progress]) -> None:
        """Hand reports of running attempts to the followers of their tasks."""
        for task_id, report in progress.items():
            for follower in self._followers.get(task_id, ()):
                follower.report(report)

"""`WatchTasks`: every change that a selector picks, from a position on, without an end."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from google.protobuf.duration_pb2 import Duration

from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway.changes_response import changes_response, portions
from taskwire_gateway.convert import selector_value, timestamp
from taskwire_gateway.dispatcher import Dispatcher
from taskwire_gateway.edge import Send
from taskwire_gateway.feed import Change, Feed
from taskwire_gateway.resume_token import ResumeTokens
from taskwire_gateway.seal import Seal
from taskwire_gateway.tailer import Tailer
from taskwire_gateway.validation import check_watch_tasks
from taskwire_gateway.watch_reads import WatchReads
from taskwire_gateway.watches import Watch, Watches
from taskwire_shared.domain import limits
from taskwire_shared.domain.errors import ResumeTokenExpired, WatchTooSlow
from taskwire_shared.domain.selector import TaskSelector
from taskwire_shared.domain.task import Task
from taskwire_shared.store.events import FeedPage
from taskwire_shared.store.positions import Position
from taskwire_shared.telemetry.metrics import GatewayMetrics

METHOD = "WatchTasks"
JOINS_MAX = 20
"""How often a reader may be too slow to join before it has to come back later."""


class FeedWatcher:
    """Serves `WatchTasks`."""

    def __init__(
        self,
        reads: WatchReads,
        tailer: Tailer,
        dispatcher: Dispatcher,
        watches: Watches,
        seal: Seal,
        metrics: GatewayMetrics,
    ) -> None:
        self._reads = reads
        self._tailer = tailer
        self._dispatcher = dispatcher
        self._watches = watches
        self._seal = seal
        self._sent = metrics.watch_tasks_sent.labels(METHOD)

    async def watch_tasks(self, tenant: str, request: pb.WatchTasksRequest, send: Send) -> None:
        """Send every change behind `resume_token`, or from now on."""
        check_watch_tasks(request)
        selector = selector_value(request.selector)
        with self._watches.open(METHOD) as watch:
            tokens, position = await self._opened(tenant, selector, request.resume_token)
            course = _Course(self._reads, watch, tokens, send)
            try:
                if position is None:
                    await self._begin(course, Feed(tenant, selector, watch.alarm))
                else:
                    await self._resume(course, position, request.resume_token, tenant, selector)
            finally:
                self._sent.inc(course.sent_count)

    async def _opened(self, tenant: str, selector: TaskSelector, token: str) -> tuple[ResumeTokens, Position | None]:
        """Open a token of the database that the tailer knows, or of one that it has not heard of yet."""
        tokens = ResumeTokens(self._seal, self._tailer.incarnation, tenant, selector)
        try:
            return tokens, tokens.open(token)
        except ResumeTokenExpired:
            tokens = ResumeTokens(self._seal, await self._reads.incarnation(), tenant, selector)
            return tokens, tokens.open(token)

    async def _begin(self, course: "_Course", feed: Feed) -> None:
        with self._dispatcher.dealing_to(feed):
            position = await self._tailer.joined(feed)
            # It may have met another database meanwhile, of which our tokens would not be.
            course.watch.check_age()
            await course.start(position, "", self._watches.heartbeat_seconds)
            await course.live(feed, read_up_to=position)

    async def _resume(
        self, course: "_Course", position: Position, token: str, tenant: str, selector: TaskSelector
    ) -> None:
        """Read the table up to now, join the tailer, read the rest, and go on with what is dealt."""
        feed = Feed(tenant, selector, course.watch.alarm)
        page = await course.read(position)
        await course.start(position, token, self._watches.heartbeat_seconds)
        position = await course.catch_up(feed, page)
        for _ in range(JOINS_MAX):
            feed = Feed(tenant, selector, course.watch.alarm)
            with self._dispatcher.dealing_to(feed):
                await self._tailer.joined(feed)
                position = await course.catch_up(feed, await course.read(position))
                if not feed.has_overflown:
                    await course.live(feed, read_up_to=position)
        raise WatchTooSlow


class _Course:
    """One watch on its way: what has been sent, and the token behind it."""

    def __init__(self, reads: WatchReads, watch: Watch, tokens: ResumeTokens, send: Send) -> None:
        self.watch = watch
        self.sent_count = 0
        self._reads = reads
        self._tokens = tokens
        self._send = send
        self._token = ""

    async def start(self, position: Position, token: str, heartbeat_seconds: float) -> None:
        """Send the first message."""
        # Without one, a caller whose connection breaks would begin anew, and never hear of what it missed.
        self._token = token or self._tokens.make_first(position)
        interval = Duration()
        interval.FromTimedelta(timedelta(seconds=heartbeat_seconds))
        started = pb.WatchStarted(heartbeat_interval=interval)
        await self._say(pb.WatchTasksResponse(started=started, resume_token=self._token))

    async def read(self, position: Position) -> FeedPage[Task]:
        """Read what was committed since `position`."""
        return await self._reads.feed(position, self._tokens.incarnation)

    async def catch_up(self, feed: Feed, page: FeedPage[Task]) -> Position:
        """Send `page` and those after it, at the pace of the reader. Returns the position behind them."""
        while True:
            self.watch.check_age()
            await self._deliver(feed.pick(page), page.position)
            if page.is_complete:
                return page.position
            page = await self.read(page.position)

    async def live(self, feed: Feed, *, read_up_to: Position) -> NoReturn:
        """Send what is dealt to `feed`, but for what the reader has: everything up to `read_up_to`.

        The tailer may deal what is older than that: it joins behind any page, and may be pages behind.
        """
        caught_up = False
        while True:
            self.watch.check_age()
            if feed.has_overflown:
                raise WatchTooSlow
            stretch = feed.take(limits.CHANGES_PER_MESSAGE_MAX)
            if stretch is None and not self.watch.heartbeat_is_due:
                await self.watch.wait()
                continue
            position = feed.position if stretch is None else stretch.position
            changes = () if stretch is None else stretch.changes
            if not caught_up:
                caught_up = position is not None and _covers(position, read_up_to)
                changes = [change for change in changes if not read_up_to.has_read(change.xid)]
            # A position that does not cover what was read would resume at what has been sent already.
            await self._deliver(changes, position if caught_up else None)

    async def _deliver(self, changes: Sequence[Change], position: Position | None) -> None:
        """Send changes and take the position behind them, which only the last of their messages has."""
        *first, last = portions(change.encoded for change in changes) or [[]]
        for portion in first:
            await self._say(changes_response(portion, self._token))
        if position is not None:
            self._token = self._tokens.make(position) or self._token
        if last:
            await self._say(changes_response(last, self._token))
        elif self.watch.heartbeat_is_due:
            heartbeat = pb.WatchHeartbeat(server_time=timestamp(datetime.now(UTC)))
            await self._say(pb.WatchTasksResponse(heartbeat=heartbeat, resume_token=self._token))
        self.sent_count += len(changes)

    async def _say(self, message: pb.WatchTasksResponse | bytes) -> None:
        await self._send(message)
        self.watch.spoke()


def _covers(position: Position, other: Position) -> bool:
    """Tell whether everything that had been read at `other` has been read at `position`."""
    if position.xmax < other.xmax:
        return False
    return all(xid >= other.xmax or xid in other.open for xid in position.open)

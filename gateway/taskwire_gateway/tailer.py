"""The one reader of what has happened, for all watchers of this process.

Completeness and order come from Postgres: a position is a snapshot, and each read returns what has been committed since
the one before. The bell only says when to look, and a timer looks when it is silent.
"""

import asyncio
from collections.abc import Collection, Mapping
from time import time
from uuid import UUID

from taskwire_gateway.dispatcher import Dispatcher
from taskwire_gateway.feed import Feed
from taskwire_gateway.watches import Watches
from taskwire_shared.domain.errors import BackendUnavailable, ResumeTokenExpired
from taskwire_shared.domain.task import Task
from taskwire_shared.store import events
from taskwire_shared.store.database import Database
from taskwire_shared.store.events import FeedPage, Move
from taskwire_shared.store.installation import Installation, read_installation
from taskwire_shared.store.positions import Position
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event
from taskwire_shared.telemetry.metrics import GatewayMetrics

LOOK_SECONDS = 0.5
"""The longest time between two reads while somebody watches: what a lost bell costs."""
PAUSE_SECONDS = 0.005
"""The least time between two reads, so that a busy bell does not make one read an event."""
PAGE_TASKS_MAX = 2_000
FOLLOWED_TASKS_MAX = 200
VERSIONS_MAX = 1_000
"""In one read for the followers of single tasks. Each may carry an output of 256 KiB."""
JOIN_SECONDS = 10.0
"""How long a new watch waits to be joined; the database does not answer then."""
OUTAGE_PAUSE_SECONDS = 0.25

_log = logs.get(__name__)


class Tailer:
    """Reads while there are watchers, from where it has stopped, and deals through the dispatcher."""

    def __init__(
        self, db: Database, known: Installation, dispatcher: Dispatcher, watches: Watches, metrics: GatewayMetrics
    ) -> None:
        self._db = db
        self._installation = known
        self._dispatcher = dispatcher
        self._watches = watches
        self._metrics = metrics
        self._position: Position | None = None
        self._joining: dict[asyncio.Future[Position], Feed | None] = {}
        self._work = asyncio.Event()

    @property
    def incarnation(self) -> str:
        """Which life of the database the positions belong to."""
        return self._installation.incarnation

    def wake(self) -> None:
        """Read soon: something has moved."""
        if self._dispatcher.has_watchers or self._joining:
            self._work.set()

    async def joined(self, feed: Feed | None = None) -> Position:
        """Return a position behind which everything is dealt to whoever has registered before this call.

        `feed` waits for a read that begins after this call, and is dealt everything behind it. A follower of single
        tasks, which reads the table itself, need only wait while nobody is reading.

        Raises:
            BackendUnavailable: The database does not answer.
        """
        if feed is None and self._position is not None:
            return self._position
        joined: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        self._joining[joined] = feed
        self._work.set()
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                return await joined
        except TimeoutError:
            raise BackendUnavailable from None
        finally:
            self._joining.pop(joined, None)

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            await self._wait_for_work()
            self._work.clear()
            try:
                await self._read()
            except BackendUnavailable as error:
                _log.warning(Event.TAILER_FAILED, cause=repr(error.__cause__))
                await self._outlast_outage()
                # What that read was for is still to be read.
                self.wake()
            except ResumeTokenExpired:
                await self._begin_anew(await self._present_installation())
                self.wake()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _wait_for_work(self) -> None:
        if not (self._dispatcher.has_watchers or self._joining):
            # Whoever comes next starts at the present: nothing is owed to anybody in between.
            self._position = None
            await self._work.wait()
            return
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._work.wait()
        except TimeoutError:
            pass

    async def _read(self) -> None:
        """Read and deal page after page until there is nothing more.

        Whoever waited when a page began may join behind it: under a load that fills page after page, the last may be
        far away.
        """
        is_complete = False
        while not is_complete:
            joining = dict(self._joining)
            if self._position is None:
                self._position, is_complete = await events.current_position(self._db, self.incarnation), True
            else:
                deal = self._deal_feed if self._dispatcher.has_feeds else self._deal_moves
                page = await deal(self._position)
                self._position, is_complete = page.position, page.is_complete
            self._let_join(joining, self._position)

    def _let_join(self, joining: Mapping[asyncio.Future[Position], Feed | None], position: Position) -> None:
        for joined, feed in joining.items():
            if joined.done():
                continue
            if feed is not None:
                feed.position = position
                self._dispatcher.add(feed)
            joined.set_result(position)

    async def _deal_feed(self, position: Position) -> FeedPage[Task]:
        page = await events.feed_since(self._db, position, self.incarnation, PAGE_TASKS_MAX)
        self._dispatcher.deal_page(page)
        # Dealt once: when the database goes away in the middle of what follows, the page must not be read again.
        self._position = page.position
        await self._deal_versions({task.id for task in page.items})
        now = time()
        self._metrics.commit_to_event_seconds.observe_many([max(0.0, now - task.updated_at) for task in page.items])
        return page

    async def _deal_moves(self, position: Position) -> FeedPage[Move]:
        """Do the same where nobody wants to see everything, at a third of the cost."""
        page = await events.moves_since(self._db, position, self.incarnation, PAGE_TASKS_MAX)
        await self._deal_versions({move.task_id for move in page.items})
        return page

    async def _deal_versions(self, moved: Collection[UUID]) -> None:
        """Read the new versions of tasks that are followed, and deal them."""
        wanted = self._dispatcher.followed(moved)
        for start in range(0, len(wanted), FOLLOWED_TASKS_MAX):
            some = wanted[start : start + FOLLOWED_TASKS_MAX]
            try:
                versions = await events.versions_after(self._db, some, VERSIONS_MAX)
            except BackendUnavailable:
                self._dispatcher.miss(task_id for task_id, _ in wanted[start:])
                raise
            self._dispatcher.deal(versions)
            if len(versions) >= VERSIONS_MAX:
                self._dispatcher.miss(task_id for task_id, _ in some)

    async def _outlast_outage(self) -> None:
        """Wait for the database, and see that it is the one of before: a restored one has forgotten our position."""
        await asyncio.sleep(OUTAGE_PAUSE_SECONDS)
        found = await self._present_installation()
        _log.info(Event.TAILER_RECOVERED)
        if found.incarnation != self.incarnation:
            await self._begin_anew(found)

    async def _present_installation(self) -> Installation:
        while True:
            try:
                return await read_installation(self._db)
            except BackendUnavailable:
                await asyncio.sleep(OUTAGE_PAUSE_SECONDS)

    async def _begin_anew(self, installation: Installation) -> None:
        """Send the watchers away: what they have seen and what the database holds is no longer one history."""
        self._installation = installation
        self._position = None
        await self._watches.move_all()

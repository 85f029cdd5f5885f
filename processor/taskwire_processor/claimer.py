"""Takes ready tasks: those that a ring has named, and now and then whatever else waits."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from uuid import UUID

from taskwire_processor.acknowledgement import acknowledge
from taskwire_processor.backlog import Backlog
from taskwire_processor.claimant import Claimant
from taskwire_processor.completer import Completer
from taskwire_processor.deafness import Deafness
from taskwire_processor.demand import Demand
from taskwire_processor.runners import Runners
from taskwire_processor.scan import LOOK_SECONDS_MAX, Look, Scan
from taskwire_processor.slots import Slots
from taskwire_shared.bus.bells import Bell
from taskwire_shared.bus.ear import Ear, Ring
from taskwire_shared.bus.rings import Ringer
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.domain.task import ClaimedTask
from taskwire_shared.store.claims import EVERYTHING, CutOff
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event
from taskwire_shared.telemetry.metrics import ProcessorMetrics
from taskwire_shared.upkeep.rounds import LONG_ROUND_SECONDS, SPACED_SECONDS_MAX

BATCH_MAX = 1000
"""Tasks in one claim. A task at full speed cost 57.7 us in claims of 500, and 54.2 in these (6 passes by turns)."""
CLAIMS_MAX = 4
"""Claims of rung tasks under way, under load more than one only of full batches. Three instead of two made 5 % more
tasks/s, four 3 % more again, six no more (6 to 8 passes by turns)."""
QUIET_CLAIMS = 2
FEW_TASKS = 4
"""While claims are of no more tasks together, a second does not wait: see `QUIET_FLUSHES` of the gateway's creator."""
CLAIM_SECONDS = 5.0
"""For an answer. A claim that is answered later counts as lost; the lease finds what it claimed (see `leaseholder`)."""
SCAN_SECONDS = 3.0
"""Between two slow claims, with jitter: a task whose ring was lost starts within 10 s."""
SCAN_SECONDS_FIRST = 0.25
"""After a start and after a queue has come into being, when rings may have gone by before there was an ear for them. It
doubles with each look."""
SCAN_AGAIN_SECONDS = 0.02
"""Where the last slow claim found as much as there was room for."""
LOOK_SECONDS = 0.25
"""How often to look whether there is room again where nothing tells."""
KEEP_SECONDS = 0.25
"""How long rung tasks are kept while nothing can be claimed, before others hear of them: they may have room."""
PAUSE_SECONDS = 0.5
"""After a claim that the database did not answer."""
ALONE_TIME_PART = 0.1
"""Of the time goes into looks at all that waits for a runner to itself, where such a look takes long."""

log = logs.get(__name__)


class Claimer:
    """Fills the free slots of a processor."""

    def __init__(
        self,
        claimant: Claimant,
        *,
        slots: Slots,
        runners: Runners,
        completer: Completer,
        ear: Ear,
        deafness: Deafness,
        bell: Bell,
        ringer: Ringer,
        take_in: Callable[[Sequence[ClaimedTask]], None],
        unanswered: Callable[[], None],
        metrics: ProcessorMetrics,
    ) -> None:
        """Take who is told what was claimed, and of what may have been.

        Args:
            claimant: Claims them.
            slots: As many as run at once.
            runners: Tell which types there are.
            completer: Says when so many outcomes wait that nothing more should be started, and when no longer.
            ear: Brings the rings.
            deafness: Judges by what is found whether it hears.
            bell: Struck for what has changed.
            ringer: Rings again for what was heard and cannot be claimed here.
            take_in: Runs tasks that were claimed.
            unanswered: Told of a claim without an answer: it may have been carried out, or may still be.
            metrics: Count.
        """
        self._claimant = claimant
        self._slots = slots
        self._runners = runners
        self._ear = ear
        self._deafness = deafness
        self._bell = bell
        self._ringer = ringer
        self._take_in = take_in
        self._unanswered = unanswered
        self._completer = completer
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._backlog = Backlog()
        self._kept_since = self._loop.time()
        """Since when nothing was claimed while rung tasks waited here."""
        self._demand = Demand()
        self._woken = asyncio.Event()
        self._nudged = asyncio.Event()
        self._closed = asyncio.Event()
        self._is_waiting = False
        """Whether a scan waits for room."""
        self._scan = Scan(self._loop.time)
        self._found_full = False
        """Whether the last scan found as much as it had room for."""
        self._claims: set[asyncio.Task[None]] = set()
        self._claiming = 0
        self._claiming_alone = 0
        self._alone_left_waiting, self._alone_may_fit = False, asyncio.Event()
        slots.on_freed = completer.on_stored = runners.on_room = self._note_room

    def hear(self, ring: Ring) -> None:
        """Take note of a ring."""
        if not self._backlog:
            self._kept_since = self._loop.time()
        self._backlog.add(ring)
        self._woken.set()

    def scan_soon(self) -> None:
        """Look for tasks that wait, without waiting for the next look: a new queue has no ear yet."""
        self._nudged.set()

    def close(self) -> None:
        """Claim nothing more; `run` returns when the claims under way are answered."""
        self._ear.wanted(0)
        for event in (self._closed, self._woken, self._nudged, self._alone_may_fit):
            event.set()

    async def run(self) -> None:
        """Claim until closed."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_rings())
            group.create_task(self._claim_left_waiting())
            group.create_task(self._scan_now_and_then())
        self._give_back()

    # What was rung.

    async def _follow_rings(self) -> None:
        async with asyncio.TaskGroup() as group:
            while not self._closed.is_set():
                self._ask_for_more()
                await self._wait(self._woken, LOOK_SECONDS)
                self._woken.clear()
                while self._may_claim() and (room := self._room()):
                    await self._begin_claim(group, min(room, BATCH_MAX))
                    self._ask_for_more()
                if self._backlog and not self._claims and self._loop.time() - self._kept_since >= KEEP_SECONDS:
                    self._give_back()

    def _may_claim(self) -> bool:
        # While a scan waits for room it goes first, or else old tasks would starve behind a steady stream of new.
        if self._is_waiting or len(self._claims) >= CLAIMS_MAX:
            return False
        # Alone, a claim takes what there is; beside a large one, less than a full batch would only make both dearer.
        is_quiet = self._claiming <= FEW_TASKS and len(self._claims) < QUIET_CLAIMS
        return len(self._backlog) >= (1 if is_quiet else BATCH_MAX)

    async def _begin_claim(self, group: asyncio.TaskGroup, room: int) -> None:
        claim = group.create_task(self._claim_rung(room))
        self._claims.add(claim)
        claim.add_done_callback(self._end_claim)
        self._kept_since = self._loop.time()
        # Lets it take its slots, so that the next one sees what is left.
        await asyncio.sleep(0)

    def _end_claim(self, claim: asyncio.Task[None]) -> None:
        self._claims.discard(claim)
        self._woken.set()

    def _ask_for_more(self) -> None:
        if not self._closed.is_set():
            now = self._loop.time()
            ids = self._demand.ids(free=self._room(), waiting=len(self._backlog), now=now)
            self._ear.wanted(ids)
            self._deafness.asked_for(ids)

    def _give_back(self) -> None:
        self._ringer.ring(self._backlog.give_back())

    async def _claim_rung(self, room: int) -> None:
        # Since this was begun a scan may have taken some of the room.
        room = min(room, self._room())
        pick = self._backlog.take(room)
        if not pick.ids:
            return
        self._claiming += len(pick.ids)
        try:
            types = self._runners.shared_types
            claimed = await self._claim(len(pick.ids), lambda: self._claimant.claim_rung(pick.ids, types, room))
        finally:
            self._claiming -= len(pick.ids)
        if claimed is None:
            # Not acknowledged: the ring comes again, here or elsewhere.
            return
        self._demand.claimed(len(pick.ids), self._loop.time())
        self._start(claimed, "ring")
        left: list[UUID] = []
        if len(claimed) < len(pick.ids):
            taken = {task.id for task in claimed}
            left = [one for one in pick.ids if one not in taken]
            await self._claim_rung_alone(left)
        await acknowledge(self._claimant, pick.rings, left)

    async def _claim_rung_alone(self, ids: list[UUID]) -> None:
        """Claim those of `ids` that want a runner each: only as many as can have one."""
        types = self._runners.alone_types
        if not types:
            return
        room = min(self._alone_room(), len(ids))
        claimed = await self._claim_alone(room, lambda: self._claimant.claim_rung(ids, types, room), "ring")
        # What did not fit in is looked for as soon as such a runner is free.
        self._alone_left_waiting |= claimed is None or len(claimed) == room

    async def _claim_alone(
        self, room: int, claim: Callable[[], Awaitable[list[ClaimedTask]]], path: str
    ) -> list[ClaimedTask] | None:
        """Claim what wants a runner to itself, for which `room` of them are set aside meanwhile. Raises CutOff."""
        if not room:
            return []
        self._claiming_alone += room
        try:
            claimed = await self._claim(room, claim)
            self._start(claimed or [], path)
        finally:
            self._claiming_alone -= room
        return claimed

    async def _claim_left_waiting(self) -> None:
        """Claim what found no runner to itself, as soon as there is one. Beside the rings, as it may take a while."""
        while not self._closed.is_set():
            await self._wait(self._alone_may_fit, LOOK_SECONDS)
            self._alone_may_fit.clear()
            if self._alone_left_waiting and self._alone_room():
                began = self._loop.time()
                try:
                    found_nothing = await self._claim_waiting_alone(Look(EVERYTHING, LOOK_SECONDS_MAX)) == []
                except CutOff:
                    found_nothing = True
                took = self._loop.time() - began
                if found_nothing and took >= LONG_ROUND_SECONDS:
                    await self._wait(self._closed, min(took / ALONE_TIME_PART, SPACED_SECONDS_MAX))

    def _note_room(self) -> None:
        self._woken.set()
        if self._alone_left_waiting:
            self._alone_may_fit.set()

    # What waits without a ring.

    async def _scan_now_and_then(self) -> None:
        pause, patience = 0.0, SCAN_SECONDS_FIRST
        while not self._closed.is_set():
            await self._wait(self._nudged, pause)
            if self._nudged.is_set():
                self._nudged.clear()
                self._scan.news()
                patience = SCAN_SECONDS_FIRST
            heard = self._ear.heard
            found = await self._look()
            self._deafness.judge(found)
            usual = patience * random.uniform(0.7, 1.3)  # noqa: S311 - only jitter
            if self._found_full and self._ear.heard == heard and not self._backlog:
                # More waits than had room, and no ring brings it.
                pause = SCAN_AGAIN_SECONDS
            else:
                # Where rings bring more than has room as well, looks would only take it from them.
                pause = usual if self._found_full else self._scan.pause(usual)
                patience = min(SCAN_SECONDS, patience * 2)

    async def _look(self) -> list[ClaimedTask]:
        """Claim what waits, and note whether there may be more than had room."""
        room = min(await self._wait_for_room(), BATCH_MAX)
        if not self._found_full:
            # It may take a while, and probably finds nothing: the rings go on beside it.
            room = (room + 1) // 2
        began, look = self._loop.time(), self._scan.next()
        found: list[ClaimedTask] | None = []
        try:
            found = await self._claim_waiting(self._runners.shared_types, room, look)
            found_alone = await self._claim_waiting_alone(look)
        except CutOff:
            self._scan.was_cut_off()
            self._found_full = False
            return found or []
        self._found_full = bool(found and len(found) == room)
        if self._found_full:
            self._scan.found_full()
        elif found is not None and found_alone is not None:
            self._scan.looked(self._loop.time() - began)
        return (found or []) + (found_alone or [])

    async def _claim_waiting_alone(self, look: Look) -> list[ClaimedTask] | None:
        """Claim what waits for a runner to itself, as much as can have one, and note whether there may be more."""
        types, room = self._runners.alone_types, self._alone_room()
        if not types:
            return []
        if look.ids is EVERYTHING:
            # Only such a look tells that there is no more, of what waited when it began.
            self._alone_left_waiting = False
        try:
            found = await self._claim_alone(room, lambda: self._claimant.claim_waiting(types, room, look), "scan")
        except CutOff:
            self._alone_left_waiting = True
            raise
        self._alone_left_waiting |= found is None or len(found) == room
        return found

    async def _claim_waiting(self, types: list[str], room: int, look: Look) -> list[ClaimedTask] | None:
        """Claim what waits. None where the database did not answer. Raises CutOff."""
        if not types or room <= 0:
            return []
        claimed = await self._claim(room, lambda: self._claimant.claim_waiting(types, room, look))
        self._start(claimed or [], "scan")
        return claimed

    async def _wait_for_room(self) -> int:
        self._is_waiting = True
        try:
            while not (room := self._room()) and not self._closed.is_set():
                await self._wait(self._woken, LOOK_SECONDS)
                self._woken.clear()
        finally:
            self._is_waiting = False
            self._woken.set()
        return 0 if self._closed.is_set() else room

    # Both.

    def _room(self) -> int:
        if self._closed.is_set() or not self._runners.is_ready or self._completer.is_full:
            return 0
        return max(0, self._slots.free)

    def _alone_room(self) -> int:
        return min(self._room(), max(0, self._runners.alone_free - self._claiming_alone))

    async def _claim(self, count: int, claim: Callable[[], Awaitable[list[ClaimedTask]]]) -> list[ClaimedTask] | None:
        """Claim up to `count` tasks, for which slots are taken meanwhile. None where the database did not answer.

        Raises CutOff, without having claimed anything.
        """
        self._slots.take(count)
        claimed: list[ClaimedTask] | None = None
        try:
            async with asyncio.timeout(CLAIM_SECONDS):
                claimed = await claim()
        except CutOff:
            claimed = []
            raise
        except (BackendUnavailable, TimeoutError):
            log.warning(Event.CLAIM_FAILED)
            await self._wait(self._closed, PAUSE_SECONDS)
        finally:
            if claimed is None:
                self._unanswered()
            self._slots.give(count - len(claimed or []))
        return claimed

    def _start(self, claimed: Sequence[ClaimedTask], path: str) -> None:
        if not claimed:
            return
        self._take_in(claimed)
        self._bell.strike()
        self._metrics.claimed.labels(path).inc(len(claimed))
        self._metrics.claim_batch_tasks.observe(len(claimed))
        self._metrics.create_to_start_seconds.observe_many(
            [task.waited_seconds for task in claimed if task.attempt_count == 1]
        )

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()

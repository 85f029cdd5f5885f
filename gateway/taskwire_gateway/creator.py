"""Group commit: concurrent creates share a statement, and each gets its own answer.

A flush is one statement. While flushes are under way, requests gather for the next: with little to do, a create is
flushed at once; under load the flushes grow and cost less for each task. Only after the commit come the answers, and
the ring.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from taskwire_gateway.batch import Batch
from taskwire_shared.bus.bells import Bell, QueueNews
from taskwire_shared.bus.rings import Ringer
from taskwire_shared.domain.errors import BackendUnavailable, Overloaded, TaskConflict
from taskwire_shared.domain.ready import Ready
from taskwire_shared.domain.task import NewTask, Task, TaskState
from taskwire_shared.store.creations import ContentConflict, Creation, Creations
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event
from taskwire_shared.telemetry.metrics import GatewayMetrics

_log = logs.get(__name__)

WAITING_TASKS_MAX = 20_000
WAITING_BYTES_MAX = 64 * 1024 * 1024
"""Of inputs. Beyond either, creates are refused: at 5,000 tasks/s the last one would have waited for four seconds."""
FLUSH_TASKS_MAX = 1_000
FLUSH_BYTES_MAX = 4 * 1024 * 1024
FULL_FLUSH_TASKS = 250
"""From here on a flush need not wait for the one before it: the fixed cost of a commit no longer matters."""
FLUSHES_MAX = 3
"""At once. More only wait for each other in Postgres."""
QUIET_FLUSHES = 2
"""At once while flushes have no company. With one, and one claim in a processor, a reply at 500/s took 6.6 instead of
5.9 ms and a start 10.1 instead of 9.3 (medians of 4 runs by turns, on two cores), for 2 % less CPU."""
LINGER_SECONDS = 0.003
"""How long to gather when the flush before had company. On two cores 1,570 creates/s became 3,460 by this.

With 64 in flight, 6 ms made flushes of 24 instead of 14, but neither more creates nor less CPU for one (3 interleaved
runs: 2,376 and 2,319/s, 368 and 363 us); to go on while others keep coming made 1,839/s. 16 in flight would wait.
"""
LINGER_FROM_REQUESTS = 4
"""In the flush before. Fewer gain less than they lose by the wait."""
LOOKS_MAX = 3
"""At once, for what may be stored already. It is not let in, and must leave connections to what is."""
REPLAY_WITHIN_SECONDS = 2.0
"""A statement that failed faster than this is sent again; a slower one has used up the patience of its callers."""


class Receipt(Struct, frozen=True):
    """What became of the tasks of one request."""

    created_at: datetime | None
    """Of those that are new; None when none is."""
    known: dict[int, Task]
    """By index: the tasks that were there before, as they are now."""
    repeats: dict[int, int]
    """By index: the earlier item of the same request that an item repeats."""

    @property
    def is_all_new(self) -> bool:
        """Tell whether every task was stored by this request, each once."""
        return not (self.known or self.repeats)


class _Pending:
    """A request that waits for its flush."""

    __slots__ = ("batch", "bytes", "receipt")

    def __init__(self, batch: Batch, receipt: "asyncio.Future[Receipt]") -> None:
        self.batch = batch
        self.bytes = sum(len(task.input.data) for task in batch.tasks if task.input is not None)
        self.receipt = receipt


class Creator:
    """Stores new tasks and answers after the commit. Lives inside the task group of its owner."""

    def __init__(
        self,
        creations: Creations,
        ringer: Ringer,
        bell: Bell,
        news: QueueNews,
        metrics: GatewayMetrics,
        flushes: asyncio.TaskGroup,
    ) -> None:
        self._creations = creations
        self._ringer = ringer
        self._bell = bell
        self._news = news
        self._metrics = metrics
        self._flushes = flushes
        self._waiting: deque[_Pending] = deque()
        self._tasks_waiting = 0
        self._bytes_waiting = 0
        self._under_way = 0
        self._busy = False
        self._start: asyncio.Handle | None = None
        self._lingers = False
        """Whether `_start` is a while off. Its class does not tell: each kind of event loop has its own."""
        self._looks = asyncio.Semaphore(LOOKS_MAX)

    async def create(self, tasks: Sequence[NewTask]) -> Receipt:
        """Store `tasks`, all or none, and return what became of them once they are committed.

        A caller that is cancelled may find its tasks stored all the same.

        Raises:
            TaskConflict: Another task has the id or the key of one of them.
            Overloaded: Too many tasks wait to be stored.
            BackendUnavailable: Postgres does not answer. The tasks may be stored all the same.
        """
        pending = _Pending(Batch.of(tasks), asyncio.get_running_loop().create_future())
        self._admit(pending)
        self._waiting.append(pending)
        self._plan()
        return await pending.receipt

    async def repeated(self, tasks: Sequence[NewTask]) -> Receipt | None:
        """Return what became of `tasks` earlier, or None unless all are stored, as they are here.

        Raises:
            TaskConflict: Two of them have one id or key, but not one content.
            BackendUnavailable: Postgres does not answer.
        """
        batch = Batch.of(tasks)
        async with self._looks:
            found = await self._creations.existing(batch.tasks)
        known = {
            batch.origins[existing.index]: existing.task for existing in found if existing.same and existing.same_tenant
        }
        return Receipt(None, known, batch.repeats) if len(known) == len(batch.tasks) else None

    def _admit(self, pending: _Pending) -> None:
        tasks = self._tasks_waiting + len(pending.batch.tasks)
        size = self._bytes_waiting + pending.bytes
        if self._waiting and (tasks > WAITING_TASKS_MAX or size > WAITING_BYTES_MAX):
            raise Overloaded
        self._tasks_waiting, self._bytes_waiting = tasks, size

    def _plan(self) -> None:
        """Arrange for the next flush to start at the right moment."""
        if not self._waiting or self._under_way >= FLUSHES_MAX:
            return
        full = self._tasks_waiting >= FULL_FLUSH_TASKS
        if full and self._lingers and self._start is not None:
            self._start.cancel()
            self._start = None
        if self._start is not None or (self._under_way >= (1 if self._busy else QUIET_FLUSHES) and not full):
            return
        loop = asyncio.get_running_loop()
        self._lingers = self._busy and not full
        if self._lingers:
            self._start = loop.call_later(LINGER_SECONDS, self._begin)
        else:
            self._start = loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._start = None
        flush = self._take()
        if not flush:
            return
        self._busy = len(flush) >= LINGER_FROM_REQUESTS
        self._under_way += 1
        self._flushes.create_task(self._run(flush))
        self._plan()

    def _take(self) -> list[_Pending]:
        """Take what fits one flush, in order, leaving what shares an id or a key with it for later."""
        taken: list[_Pending] = []
        left: list[_Pending] = []
        names: set[object] = set()
        tasks = size = 0
        while self._waiting:
            pending = self._waiting.popleft()
            if pending.receipt.done():
                # Its caller has left. Under overload these would keep everybody else waiting.
                self._drop(pending)
                continue
            tasks += len(pending.batch.tasks)
            size += pending.bytes
            if taken and (tasks > FLUSH_TASKS_MAX or size > FLUSH_BYTES_MAX):
                self._waiting.appendleft(pending)
                break
            if names.isdisjoint(pending.batch.names):
                names |= pending.batch.names
                taken.append(pending)
                self._drop(pending)
            else:
                left.append(pending)
        self._waiting.extendleft(reversed(left))
        return taken

    def _drop(self, pending: _Pending) -> None:
        self._tasks_waiting -= len(pending.batch.tasks)
        self._bytes_waiting -= pending.bytes

    async def _run(self, flush: list[_Pending]) -> None:
        """Flush, and see to it that everybody gets an answer, whatever happens."""
        try:
            await self._answer(flush)
        finally:
            self._under_way -= 1
            self._plan()

    async def _answer(self, flush: list[_Pending]) -> None:
        try:
            await self._store(flush)
        except Exception as error:  # noqa: BLE001 - It is handed to the callers, at whose edge it is logged.
            for pending in flush:
                _refuse(pending, error)
        except asyncio.CancelledError:
            for pending in flush:
                pending.receipt.cancel()
            raise

    async def _store(self, flush: list[_Pending]) -> None:
        tasks = [task for pending in flush for task in pending.batch.tasks]
        try:
            creation = await self._write(tasks)
        except ContentConflict:
            await self._divide(flush)
            return
        self._tell(tasks, creation)
        if len(creation.created) == len(tasks):
            for pending in flush:
                _reply(pending, Receipt(creation.created_at, {}, pending.batch.repeats))
            return
        repeated = [pending for pending in flush if not _confirm(pending, creation)]
        await self._confirm_repeated(repeated, creation)

    async def _write(self, tasks: Sequence[NewTask]) -> Creation:
        """Run the statement, once more if the connection was lost: by their ids, tasks that got through are known."""
        loop = asyncio.get_running_loop()
        patience = loop.time() + REPLAY_WITHIN_SECONDS
        try:
            return await self._creations.create_tasks(tasks)
        except BackendUnavailable:
            if loop.time() > patience:
                raise
            _log.warning(Event.CREATE_REPLAYED, tasks=len(tasks))
            creation = await self._creations.create_tasks(tasks)
            # If the first got through, its queues were new to it alone.
            return replace(creation, new_queues=frozenset(task.queue for task in tasks))

    def _tell(self, tasks: Sequence[NewTask], creation: Creation) -> None:
        """Let the others know what is committed. Nobody waits for it, and none of it is promised."""
        for queue in creation.new_queues:
            self._news.announce(queue)
        created_at = creation.created_at
        if created_at is None:
            return
        self._metrics.create_batch_tasks.observe(len(creation.created))
        # Looking up ids costs as much as all the rest here, and mostly every one is new.
        all_new = len(creation.created) == len(tasks)
        self._ringer.ring(
            Ready(task.id, task.queue, task.priority)
            for task in tasks
            if (task.schedule_at is None or task.schedule_at <= created_at) and (all_new or task.id in creation.created)
        )
        self._bell.strike()

    async def _confirm_repeated(self, flush: list[_Pending], creation: Creation) -> None:
        """Answer requests of which some tasks were there before, with these as they are now."""
        asked = [task for pending in flush for task in pending.batch.tasks if task.id not in creation.created]
        found = await self._creations.existing(asked)
        known = {asked[existing.index].id: existing.task for existing in found}
        self._tell_again(known.values())
        for pending in flush:
            if not _confirm(pending, creation, known):
                # They were removed in between: nothing can be said that will stay true.
                _refuse(pending, BackendUnavailable())

    def _tell_again(self, known: Iterable[Task]) -> None:
        """Let the others know of tasks that nobody has touched since: a caller repeats what got lost before it told."""
        untouched = [task for task in known if task.version == 1]
        if untouched:
            self._ringer.ring(
                Ready(task.id, task.queue, task.priority) for task in untouched if task.state is TaskState.PENDING
            )
            self._bell.strike()

    async def _divide(self, flush: list[_Pending]) -> None:
        """Find the request that cannot be stored by halves, so that it takes nobody else down with it."""
        if len(flush) == 1:
            raise await self._conflict(flush[0].batch)
        middle = len(flush) // 2
        for half in (flush[:middle], flush[middle:]):
            await self._answer(half)

    async def _conflict(self, batch: Batch) -> Exception:
        """Say what is in the way of `batch`."""
        found = await self._creations.existing(batch.tasks)
        for existing in sorted(found, key=lambda existing: existing.index):
            if not existing.same_tenant:
                return TaskConflict(None, batch.origins[existing.index])
            if not existing.same:
                return TaskConflict(str(existing.task.id), batch.origins[existing.index])
        return BackendUnavailable()


def _refuse(pending: _Pending, error: BaseException) -> None:
    if not pending.receipt.done():
        pending.receipt.set_exception(error)


def _reply(pending: _Pending, receipt: Receipt) -> None:
    if not pending.receipt.done():
        pending.receipt.set_result(receipt)


def _confirm(pending: _Pending, creation: Creation, known: Mapping[UUID, Task] = MappingProxyType({})) -> bool:
    """Answer `pending`, if each of its tasks is either new or known. Returns whether it was."""
    batch = pending.batch
    by_index: dict[int, Task] = {}
    for origin, task in zip(batch.origins, batch.tasks, strict=True):
        if task.id not in creation.created:
            if task.id not in known:
                return False
            by_index[origin] = known[task.id]
    _reply(pending, Receipt(creation.created_at, by_index, batch.repeats))
    return True

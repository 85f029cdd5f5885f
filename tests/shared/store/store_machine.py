"""The statements of the store, in any order, held against a model in Python.

Hypothesis makes up programs of creates, claims, completions with old and new fences, cancels, lost leases and sweeps,
and runs each on a real Postgres and on the model; after every step the rows have to be those of the model. Time passes
by hand, see `store_times`.
"""

import asyncio
import itertools
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from store_model import OUTCOMES, Model, Row
from store_times import FAR, end_attempt, end_lease, expire, set_schedule

from taskwire_shared.domain.ids import id_at, new_id
from taskwire_shared.domain.outcome import Fence, Succeeded
from taskwire_shared.domain.ready import Swept
from taskwire_shared.domain.task import ClaimedTask, NewTask, Payload, RetryPolicy, Task, TaskPriority, TaskState
from taskwire_shared.store import audit_histories, cancels, claims, completions, dues, events, processors, queues, reads
from taskwire_shared.store.audit_connection import AuditConnection
from taskwire_shared.store.creations import ContentConflict, Creations
from taskwire_shared.store.database import Database
from taskwire_shared.store.reaps import take_back

T = TypeVar("T")
Wish = dict[str, Any]

S = TaskState
TENANT, FOREIGNER = "default", "other"
QUEUES = ("mail", "push")
TYPES = ("send", "fold")
HASH, OTHER_HASH = b"h" * 16, b"o" * 16
MANY = 1_000

_WISH = {
    "queue": st.sampled_from(QUEUES),
    "type": st.sampled_from(TYPES),
    "priority": st.sampled_from(TaskPriority),
    "max_attempts": st.integers(1, 3),
    "is_later": st.booleans(),
    "expires": st.booleans(),
    "has_timeout": st.booleans(),
    "has_key": st.booleans(),
}
wishes = st.fixed_dictionaries(_WISH)
waiting = st.fixed_dictionaries({**_WISH, "is_later": st.just(False)})
types = st.just(list(TYPES)) | st.lists(st.sampled_from(TYPES), min_size=1, unique=True)
limits = st.integers(1, 4)
numbers = st.integers(0, 23)
"""Which one, of those that there are to choose from."""


def _if_any(attribute: str) -> Any:
    """Leave a rule out while there is nothing to choose from."""
    return precondition(lambda machine: any(getattr(row, attribute) for row in machine.model.rows.values()))


class StoreMachine(RuleBasedStateMachine):
    """One program. Choices are numbers into lists of the model, so that most steps have something to do."""

    runner: ClassVar[asyncio.Runner]
    db: ClassVar[Database]
    audit: ClassVar[AuditConnection]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.run(self._clear())
        self.creations = Creations(self.db)
        self.position = self.run(events.current_position(self.db, None))
        self.fed: dict[UUID, int] = {}
        # In order, so that the same program does the same each time.
        first = id_at(time.time_ns() // 1_000_000).int & ~0xFFFFFFFF
        self.ids = (UUID(int=number) for number in itertools.count(first))
        self.holders = [self._register(), self._register()]
        self.fences: list[tuple[UUID, Fence]] = []
        self.reports = 0

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    async def _clear(self) -> None:
        for table in ("tasks", "task_events", "processors", "idempotency_keys", "queues"):
            await self.db.execute(f"DELETE FROM {table}")

    def _row(self, number: int, attribute: str = "") -> Row:
        """Choose a task, three times out of four one that has not ended."""
        attribute = attribute or ("is_alive" if number % 4 else "id")
        rows = list(self.model.rows.values())
        return _choose([row for row in rows if getattr(row, attribute)] or rows, number)

    def _fence(self, number: int) -> tuple[UUID, Fence]:
        """Choose a fence, three times out of four one of a task that runs, in this attempt or a later one."""
        running = [pick for pick in self.fences if number % 4 and self.model.rows[pick[1].task_id].is_running]
        return _choose(running or self.fences, number)

    # Creating.

    @initialize(wanted=st.lists(waiting, min_size=1, max_size=3))
    def begin(self, wanted: list[Wish]) -> None:
        self.create(wanted)

    @rule(wanted=st.lists(wishes, min_size=1, max_size=3))
    def create(self, wanted: list[Wish]) -> None:
        new = [_new_task(next(self.ids), **wish) for wish in wanted]
        creation = self.run(self.creations.create_tasks(new))
        assert creation.created == {task.id for task in new}
        for task in new:
            self.model.create(task)
            self.fed[task.id] = 0

    @rule(number=numbers, is_same=st.booleans(), by_key=st.booleans())
    def create_again(self, number: int, *, is_same: bool, by_key: bool) -> None:
        row = self._row(number)
        again = NewTask(
            id=next(self.ids) if by_key and row.key else row.id,
            tenant=TENANT,
            queue=row.queue,
            type=row.type,
            request_hash=HASH if is_same else OTHER_HASH,
            idempotency_key=row.key if by_key else None,
        )
        assert self.run(self._is_taken(again)) == (not is_same)
        (existing,) = self.run(self.creations.existing([again]))
        assert (existing.task.id, existing.same, existing.same_tenant) == (row.id, is_same, True)

    async def _is_taken(self, task: NewTask) -> bool:
        try:
            assert not (await self.creations.create_tasks([task])).created
        except ContentConflict:
            return True
        return False

    # Claiming.

    @rule(holder=numbers, rung=st.lists(numbers, min_size=1, max_size=3), types=types, limit=limits)
    def claim_rung(self, holder: int, rung: list[int], types: list[str], limit: int) -> None:
        processor = _choose(self.holders, holder)
        ids = sorted({self._row(number).id for number in rung})
        expected = [row.id for row in self.model.claimable(processor, types) if row.id in ids][:limit]
        claimed = self.run(claims.claim_rung(self.db, processor, ids, types, limit))
        self._note_claimed(processor, expected, claimed)

    @rule(holder=numbers, only=st.none() | st.sampled_from(QUEUES), types=types, limit=limits)
    def claim_waiting(self, holder: int, only: str | None, types: list[str], limit: int) -> None:
        processor = _choose(self.holders, holder)
        in_line = [row for row in self.model.claimable(processor, types) if only in {None, row.queue}]
        expected = [row.id for row in sorted(in_line, key=lambda row: (-row.priority, row.id))[:limit]]
        claimed = self.run(claims.claim_waiting(self.db, processor, [only] if only else None, types, limit))
        self._note_claimed(processor, expected, claimed)

    def _note_claimed(self, holder: UUID, expected: list[UUID], claimed: list[ClaimedTask]) -> None:
        assert {task.id for task in claimed} == set(expected)
        fences = self.model.claim(holder, expected)
        assert {(task.id, task.attempt) for task in claimed} == {(fence.task_id, fence.attempt) for fence in fences}
        self.fences += [(holder, fence) for fence in fences]

    # Ending attempts, with any fence that was ever given out, and sometimes in the name of somebody else.

    @precondition(lambda self: self.fences)
    @rule(which=st.lists(numbers, min_size=1, max_size=3, unique=True), impostor=st.none() | numbers)
    def succeed(self, which: list[int], impostor: int | None) -> None:
        done = list({self._fence(number)[1]: None for number in which})
        self._succeed(self._fence(which[0])[0] if impostor is None else _choose(self.holders, impostor), done)

    def _succeed(self, holder: UUID, done: list[Fence]) -> None:
        expected = {fence for fence in done if self.model.holds(holder, fence)}
        applied = self.run(completions.succeed(self.db, holder, [Succeeded(fence, Payload(b"done")) for fence in done]))
        for fence in expected:
            self.model.rows[fence.task_id].move(S.SUCCEEDED)
        # One that had succeeded before counts as well: its answer may have been lost.
        assert applied == {fence for fence in done if self.model.ended(holder, fence) is S.SUCCEEDED}
        self._check_ended(holder, done)

    @precondition(lambda self: self.fences)
    @rule(number=numbers, how=st.sampled_from(sorted(OUTCOMES)), impostor=st.none() | numbers)
    def settle(self, number: int, how: str, impostor: int | None) -> None:
        holder, fence = self._fence(number)
        self._settle(holder if impostor is None else _choose(self.holders, impostor), fence, how)

    def _settle(self, holder: UUID, fence: Fence, how: str) -> None:
        row, applies = self.model.rows[fence.task_id], self.model.holds(holder, fence)
        settled = self.run(completions.settle(self.db, holder, [OUTCOMES[how](fence)]))
        if applies:
            row.give_up(how)
        assert [(one.fence, one.state) for one in settled] == [(fence, row.state)] * applies
        self._check_ended(holder, [fence])

    @_if_any("is_running")
    @rule(number=numbers, how=st.sampled_from(["hand back", "take back"]))
    def give_back_and_claim_again(self, number: int, how: str) -> None:
        """See that nothing is done with an old fence, although the processor is the same."""
        row = self._row(number, "is_running")
        assert row.processor is not None
        holder, old = row.processor, Fence(row.id, row.attempt)
        self._settle(holder, old, how)
        self._claim_one(holder, row)
        self._settle(holder, old, "fail")
        self._succeed(holder, [old])
        self._report(holder, old)

    def _claim_one(self, holder: UUID, row: Row) -> None:
        expected = [one.id for one in self.model.claimable(holder, [row.type]) if one is row]
        self._note_claimed(holder, expected, self.run(claims.claim_rung(self.db, holder, [row.id], [row.type], 1)))

    def _check_ended(self, holder: UUID, done: list[Fence]) -> None:
        """See that who asks later, not having got the answer, is told the same."""
        ended = self.run(completions.ended(self.db, holder, done))
        assert [ended.get(fence) for fence in done] == [self.model.ended(holder, fence) for fence in done]

    # Cancelling and sweeping.

    @rule(number=numbers)
    def cancel(self, number: int) -> None:
        row = self._row(number)
        for _ in ("first", "again"):
            self.model.cancel(row.id)
            cancelled = self.run(cancels.cancel(self.db, TENANT, row.id, "enough"))
            assert cancelled is not None
            assert _facts(cancelled) == row.facts()

    @rule()
    def sweep(self) -> None:
        owed = self.model.do_what_is_owed()
        self._check_swept(self.run(dues.start_due(self.db, MANY)), owed)
        for row in owed:
            if row.state is S.SCHEDULED:
                # Chance has chosen a pause between 0 and some seconds.
                self.run(set_schedule(self.db, row.id, FAR))
        self._check_swept(self.run(take_back(self.db, MANY)), self.model.take_back())

    def _check_swept(self, swept: Swept, expected: list[Row]) -> None:
        assert swept.changed == len(expected)
        assert {one.id for one in swept.ready} == {row.id for row in expected if row.state is S.PENDING}

    # What happens without us.

    @_if_any("can_come_due")
    @rule(number=numbers)
    def let_its_time_come(self, number: int) -> None:
        row = self._row(number, "can_come_due")
        self.run(set_schedule(self.db, row.id, -FAR / 24) if row.state is S.SCHEDULED else end_attempt(self.db, row.id))
        row.is_due = True

    @_if_any("can_expire")
    @rule(number=numbers)
    def let_expire(self, number: int) -> None:
        row = self._row(number, "can_expire")
        self.run(expire(self.db, row.id))
        row.is_expired = True
        self._claim_one(_choose(self.holders, number), row)

    @rule(holder=numbers, leaves=st.booleans())
    def lose_lease(self, holder: int, *, leaves: bool) -> None:
        processor = _choose(self.holders, holder)
        self.run((processors.deregister if leaves else end_lease)(self.db, processor))
        self.model.leases[processor] = False
        assert not self.run(processors.renew(self.db, processor, FAR.total_seconds()))
        self.holders.append(self._register())

    def _register(self) -> UUID:
        processor = processors.Processor(id=new_id(), queues=None, types=TYPES, concurrency=9, host="here")
        self.run(processors.register(self.db, processor, FAR.total_seconds()))
        self.model.leases[processor.id] = True
        return processor.id

    @rule(queue=st.sampled_from(QUEUES), paused=st.booleans())
    def pause_or_resume(self, queue: str, *, paused: bool) -> None:
        change = queues.pause_queue if paused else queues.resume_queue
        found = self.run(change(self.db, TENANT, queue))
        assert found is None or found.paused == paused
        if found is not None:
            (self.model.paused.add if paused else self.model.paused.discard)(queue)
        for row in list(self.model.rows.values()):
            if paused and row.queue == queue:
                self._claim_one(self.holders[-1], row)

    @_if_any("attempt")
    @rule(number=numbers, attempt=st.none() | limits, impostor=numbers)
    def report_progress(self, number: int, attempt: int | None, impostor: int) -> None:
        row = self._row(number, "attempt")
        holder = row.processor if impostor % 2 else _choose(self.holders, impostor)
        assert holder is not None
        self._report(holder, Fence(row.id, attempt or row.attempt))

    def _report(self, holder: UUID, fence: Fence) -> None:
        self.reports += 1
        report = completions.ProgressReport(fraction=1 / self.reports, message="", fence=fence)
        self.run(completions.report_progress(self.db, holder, [report]))
        if self.model.holds(holder, fence):
            self.model.rows[fence.task_id].progress = 1 / self.reports

    # What readers see.

    @rule(limit=st.integers(1, 20))
    def read_feed(self, limit: int) -> None:
        moves = self.run(events.moves_since(self.db, self.position, None, limit))
        page = self.run(events.feed_since(self.db, self.position, None, limit))
        assert [(move.task_id, move.version) for move in moves.items] == [
            (task.id, task.version) for task in page.items
        ]
        for version in page.items:
            # Each once, in order, without a gap.
            assert version.version == self.fed[version.id] + 1
            assert [_facts(version)] == self.model.rows[version.id].history[version.version - 1 : version.version]
            self.fed[version.id] = version.version
        self.position = page.position
        if page.is_complete:
            assert self.fed == {row.id: row.version for row in self.model.rows.values()}

    @rule(number=numbers, after=st.integers(0, 3))
    def look(self, number: int, after: int) -> None:
        row = self._row(number)
        found = self.run(events.versions_after(self.db, [(row.id, after)], MANY, tenant=TENANT))
        assert [_facts(version) for version in found] == row.history[after:]
        holder = _choose(self.holders, number)
        held = self.run(processors.holdings(self.db, holder)).held
        expected = {(row.id, row.attempt, row.cancel_requested) for row in self.model.held_by(holder)}
        assert {(one.task_id, one.attempt, one.cancel_requested) for one in held} == expected
        assert self.run(processors.held(self.db, holder, [row.id])) == [one for one in held if one.task_id == row.id]
        assert self.run(cancels.cancel(self.db, FOREIGNER, row.id, "enough")) is None
        assert self.run(reads.get_task(self.db, FOREIGNER, row.id, full=True)) is None
        assert self.run(events.versions_after(self.db, [(row.id, 0)], MANY, tenant=FOREIGNER)) == []

    # What always holds.

    @invariant()
    def rows_are_those_of_the_model(self) -> None:
        found = self.run(
            self.db.fetch(
                "SELECT id, progress_fraction, version, state, attempt, excused, processor,"
                " cancel_requested_at IS NOT NULL AS cancel_requested FROM tasks"
            )
        )
        expected = {row.id: (row.progress, *row.facts()) for row in self.model.rows.values()}
        assert {row["id"]: tuple(row)[1:] for row in found} == expected

    def teardown(self) -> None:
        """See that the feed comes to its end, and that `taskwire verify` would object to nothing."""
        self.read_feed(MANY)
        assert self.run(self._audit()) == []

    async def _audit(self) -> list[Any]:
        flaws = []
        for day in await audit_histories.list_days(self.audit):
            cut = await audit_histories.next_slice(self.audit, day.day, None)
            assert cut is not None
            flaws += await audit_histories.audit_slice(self.audit, cut, 3)
        return flaws


@contextmanager
def machine_on(url: str) -> Iterator[type[StoreMachine]]:
    """Make a machine for this database, which it empties before each program."""

    async def open_both(stack: AsyncExitStack) -> dict[str, Any]:
        return {
            "db": await stack.enter_async_context(Database.open(url, pool_size=1)),
            "audit": await stack.enter_async_context(AuditConnection.open(url)),
        }

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        parts = runner.run(open_both(stack))
        try:
            yield type("Machine", (StoreMachine,), {"runner": runner, **parts})
        finally:
            runner.run(stack.aclose())


def _choose(choices: Sequence[T], number: int) -> T:
    return choices[number % len(choices)]


def _new_task(
    task_id: UUID, *, max_attempts: int, is_later: bool, expires: bool, has_timeout: bool, has_key: bool, **given: Any
) -> NewTask:
    now = datetime.now(UTC)
    timeout_ms = int(FAR.total_seconds() * 1000) if has_timeout else None
    return NewTask(
        id=task_id,
        tenant=TENANT,
        request_hash=HASH,
        schedule_at=now + FAR if is_later else None,
        expire_at=now + 2 * FAR if expires else None,
        idempotency_key=str(task_id) if has_key else None,
        retry_policy=RetryPolicy(max_attempts=max_attempts, attempt_timeout_ms=timeout_ms),
        **given,
    )


def _facts(task: Task) -> tuple[Any, ...]:
    return (task.version, task.state, task.attempt, task.excused, task.processor, task.cancel_requested_at is not None)

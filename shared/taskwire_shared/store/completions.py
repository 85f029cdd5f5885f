"""Ending attempts: each outcome is one transition, refused unless its attempt still holds the task."""

from collections.abc import Mapping, Sequence
from itertools import chain
from uuid import UUID

from msgspec import Struct, structs

from taskwire_shared.domain.outcome import Failed, Fence, HandedBack, RunnerLost, Stopped, Succeeded
from taskwire_shared.domain.ready import Ready
from taskwire_shared.domain.task import Failure, TaskPriority, TaskState
from taskwire_shared.store.database import Database
from taskwire_shared.store.day import by_day, on_their_day
from taskwire_shared.store.history import CHANGED_COLUMNS, NOTE_CHANGES, NOW, STATE, found_by_id
from taskwire_shared.store.rows import RUNNER_DIED, RUNNER_KEY, failure_document, storable
from taskwire_shared.store.verdicts import CARRY_OUT, HELD_COLUMNS, Wish

Unsuccessful = Failed | Stopped | HandedBack | RunnerLost

_STILL_HELD = f"{found_by_id('o')} AND {STATE} = 3 AND t.processor = $1 AND t.attempt = o.attempt"

# Rows are changed, and so locked, in the order that they are given in. Locking them first, in a CTE of its own, cost 3
# of 19 us a task.
SUCCEED = f"""
WITH changed AS (
    UPDATE tasks t SET
        state = 4, version = t.version + 1, updated_at = {NOW}, finished_at = {NOW}, due_at = NULL,
        output = o.output, output_is_text = o.is_text, output_content_type = o.content_type
    FROM unnest($2::uuid[], $3::integer[], $4::bytea[], $5::boolean[], $6::text[])
        AS o(id, attempt, output, is_text, content_type)
    WHERE {_STILL_HELD}
    RETURNING {CHANGED_COLUMNS}
)
{NOTE_CHANGES}
"""

SETTLE = f"""
WITH held AS (
    SELECT {HELD_COLUMNS}, o.wish, o.failure::jsonb AS failure, o.final_failure::jsonb AS final_failure, o.retry_in
    FROM unnest($2::uuid[], $3::integer[], $4::smallint[], $5::text[], $6::text[], $7::double precision[])
        AS o(id, attempt, wish, failure, final_failure, retry_in)
    JOIN tasks t ON {_STILL_HELD}
    ORDER BY o.id FOR UPDATE OF t
), {CARRY_OUT}
"""

REPORT_PROGRESS = f"""
UPDATE tasks t SET
    progress_fraction = o.fraction, progress_message = o.message, progress_at = statement_timestamp()
FROM unnest($2::uuid[], $3::integer[], $4::double precision[], $5::text[])
    AS o(id, attempt, fraction, message)
WHERE {_STILL_HELD}
"""

# The event that ended an attempt carries its number; the claim itself is the RUNNING one.
READ_ENDED = """
SELECT o.id, o.attempt, e.state
FROM unnest($2::uuid[], $3::integer[]) AS o(id, attempt),
LATERAL (
    SELECT e.state FROM task_events e
    WHERE e.task_id = o.id AND e.attempt = o.attempt AND e.processor = $1 AND e.state <> 3
    ORDER BY e.version LIMIT 1
) AS e
"""


class ProgressReport(Struct, frozen=True):
    """What a running attempt says of itself."""

    fraction: float
    """From 0 to 1."""
    message: str
    fence: Fence


class Settled(Struct, frozen=True):
    """An outcome that was applied."""

    fence: Fence
    state: TaskState
    """What the task has become: not always what the outcome wished for."""
    queue: str
    priority: TaskPriority

    @property
    def ready(self) -> Ready | None:
        """What is to be rung, where the task waits again."""
        return Ready(self.fence.task_id, self.queue, self.priority) if self.state is TaskState.PENDING else None


async def succeed(db: Database, processor: UUID, done: Sequence[Succeeded]) -> frozenset[Fence]:
    """Make RUNNING tasks SUCCEEDED, and return the fences that still held their tasks. The others are refused.

    Raises:
        BackendUnavailable: Whether it was committed is unknown; see `ended`.
    """
    parts = [await _succeed(db, processor, part) for part in by_day(sorted(done, key=_order), _id)]
    return parts[0] if len(parts) == 1 else frozenset(chain.from_iterable(parts))


async def _succeed(db: Database, processor: UUID, done: Sequence[Succeeded]) -> frozenset[Fence]:
    outputs = [outcome.output for outcome in done]
    fences = [outcome.fence for outcome in done]
    ids = [fence.task_id for fence in fences]
    arguments = (
        [fence.attempt for fence in fences],
        [None if output is None else output.data for output in outputs],
        [None if output is None else output.is_text for output in outputs],
        [None if output is None else output.content_type or None for output in outputs],
    )
    tag = await on_their_day(SUCCEED, ids, lambda statement: db.execute(statement, processor, ids, *arguments))
    if int(tag.rpartition(" ")[2]) == len(fences):
        return frozenset(fences)
    # Rare, so that asking again is cheaper than having every row sent back every time.
    states = await ended(db, processor, fences)
    return frozenset(fence for fence in fences if states.get(fence) is TaskState.SUCCEEDED)


async def settle(db: Database, processor: UUID, outcomes: Sequence[Unsuccessful]) -> list[Settled]:
    """End RUNNING attempts that did not succeed, and return those that still held their tasks.

    Where cancellation was asked for, the task becomes CANCELLED. A retry past the task's attempts or its expiry fails
    for good, and so does a lost runner past the attempts. A `Stopped` that nobody asked for is handed back.

    Raises:
        BackendUnavailable: Whether it was committed is unknown; see `ended`.
    """
    parts = [await _settle(db, processor, part) for part in by_day(sorted(outcomes, key=_order), _id)]
    return list(chain.from_iterable(parts))


async def _settle(db: Database, processor: UUID, outcomes: Sequence[Unsuccessful]) -> list[Settled]:
    ids = [outcome.fence.task_id for outcome in outcomes]
    arguments = (
        [outcome.fence.attempt for outcome in outcomes],
        [_wish(outcome) for outcome in outcomes],
        [_failure(outcome) for outcome in outcomes],
        [_final_failure(outcome) for outcome in outcomes],
        [outcome.retry_in_seconds if isinstance(outcome, Failed) else None for outcome in outcomes],
    )
    rows = await on_their_day(SETTLE, ids, lambda statement: db.fetch(statement, processor, ids, *arguments))
    return [
        Settled(Fence(row["id"], row["attempt"]), TaskState(row["state"]), row["queue"], TaskPriority(row["priority"]))
        for row in rows
    ]


async def ended(db: Database, processor: UUID, fences: Sequence[Fence]) -> Mapping[Fence, TaskState]:
    """Return the state that each attempt of `processor` has ended in; those that still run are left out.

    For use after a `BackendUnavailable`, in a statement of its own.
    """
    rows = await db.fetch(
        READ_ENDED, processor, [fence.task_id for fence in fences], [fence.attempt for fence in fences]
    )
    return {Fence(row["id"], row["attempt"]): TaskState(row["state"]) for row in rows}


async def report_progress(db: Database, processor: UUID, reports: Sequence[ProgressReport]) -> None:
    """Keep the newest report of running attempts. Those that no longer hold their tasks are ignored."""
    for part in by_day(sorted(reports, key=_order), _id):
        await _report(db, processor, part)


async def _report(db: Database, processor: UUID, reports: Sequence[ProgressReport]) -> None:
    ids = [report.fence.task_id for report in reports]
    arguments = (
        [report.fence.attempt for report in reports],
        [report.fraction for report in reports],
        [storable(report.message) for report in reports],
    )
    await on_their_day(REPORT_PROGRESS, ids, lambda statement: db.execute(statement, processor, ids, *arguments))


def _id(outcome: Succeeded | Unsuccessful | ProgressReport) -> UUID:
    return outcome.fence.task_id


def _order(outcome: Succeeded | Unsuccessful | ProgressReport) -> int:
    return outcome.fence.task_id.int


def _wish(outcome: Unsuccessful) -> Wish:
    match outcome:
        case Failed(retry_in_seconds=None):
            return Wish.FAIL
        case Failed():
            return Wish.RETRY
        case RunnerLost():
            return Wish.TAKE_BACK
        case Stopped() | HandedBack():
            return Wish.HAND_BACK


def _failure(outcome: Unsuccessful) -> str | None:
    match outcome:
        case Failed(failure=failure):
            return failure_document(failure)
        case RunnerLost(failure=failure):
            return failure_document(structs.replace(failure, metadata={**failure.metadata, RUNNER_KEY: RUNNER_DIED}))
        case _:
            return None


def _final_failure(outcome: Unsuccessful) -> str | None:
    if not isinstance(outcome, Failed) or outcome.retry_in_seconds is not None:
        return None
    final: Failure = outcome.final_failure or outcome.failure
    return failure_document(final)

"""The history of tasks, read as a feed of everything or by task.

What is new since a snapshot is exactly what was written by the transactions that this snapshot did not see: those from
its `xmax` on, and those that were open. The statement that reads it runs in a snapshot of its own, which is the next
position. Nothing is missed and nothing comes twice, whatever order transactions commit in.

A position ends behind the newest event, though, and not where its snapshot does: numbers of transactions that have
written nothing are given once more after a crash, and after the promotion of a standby. An event that can be seen is on
disk (and on a synchronous standby), so that numbers up to its own are never given again.

A position is of use only in the database that it was read in. Each read says which one answers, in the same snapshot:
connections may lead to another server from one statement to the next, without an error that would tell.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar
from uuid import UUID

from asyncpg import Record
from msgspec import Struct

from taskwire_shared.domain.errors import ResumeTokenExpired
from taskwire_shared.domain.task import Task
from taskwire_shared.store.database import Database
from taskwire_shared.store.history import EVENT_COLUMNS
from taskwire_shared.store.installation import INCARNATION
from taskwire_shared.store.positions import Position
from taskwire_shared.store.rows import BASIC_COLUMNS, as_read, to_task

T = TypeVar("T")

EVENTS_MAX = 5_000
"""In one page of the feed, apart from the rest of the transaction that it ends in."""

_OF_EVENT = {
    "id": "e.task_id",
    "updated_at": "e.at",
    "finished_at": "CASE WHEN e.state >= 4 THEN e.at END",
    **{name: f"e.{name}" for name in EVENT_COLUMNS},
    "progress_at": "CASE WHEN e.attempt = t.attempt THEN t.progress_at END",
}
# A task as it was at an event: the event's own columns, and the task's where they never change. Progress is the newest,
# for versions of the attempt that has reported it; without its time there is none.
_THEN = ", ".join(as_read(name, _OF_EVENT.get(name, f"t.{name}")) for name in BASIC_COLUMNS)
_OUTPUT = "CASE e.state WHEN 4 THEN t.output END AS output, t.output_is_text, t.output_content_type"
_NO_INPUT = "NULL::bytea AS input, NULL::boolean AS input_is_text, NULL::text AS input_content_type"

# By `xid` and not by `seq`, so that the index ends the scan at the limit however far behind a reader is.
_NEWS = """
news AS MATERIALIZED (
    (SELECT e.* FROM task_events e WHERE e.xid >= $1::text::xid8 ORDER BY e.xid LIMIT {limit})
    UNION ALL
    (SELECT e.* FROM task_events e WHERE e.xid = ANY ($2::text[]::xid8[]))
)
"""
_HERE = f"pg_current_snapshot()::text AS here, feed_floor::text AS floor, {INCARNATION} AS incarnation"

# The LIMIT makes it one look-up per event: a join would rather merge a page with a whole day of tasks.
FEED = f"""
WITH {_NEWS}, known AS (
    SELECT {_THEN}, e.xid::text::bigint AS xid, e.seq
    FROM news e, LATERAL (SELECT * FROM tasks WHERE tasks.id = e.task_id LIMIT 1) AS t
)
SELECT known.*, {_HERE} FROM installation LEFT JOIN known ON false
UNION ALL
SELECT known.*, NULL, NULL, NULL FROM known
"""

MOVES = f"""
WITH {_NEWS}, known AS (SELECT e.xid::text::bigint AS xid, e.seq, e.task_id AS id, e.version FROM news e)
SELECT known.*, {_HERE} FROM installation LEFT JOIN known ON false
UNION ALL
SELECT known.*, NULL, NULL, NULL FROM known
"""

# The versions just below, where they are not below the given transaction.
LATER_BELOW = """
SELECT e.task_id AS id, e.version FROM unnest($1::uuid[], $2::integer[]) AS above(id, version), LATERAL (
    SELECT * FROM task_events WHERE task_id = above.id AND task_events.version = above.version - 1 LIMIT 1
) AS e
WHERE e.xid >= $3::text::xid8
"""

VERSIONS = f"""
SELECT {_THEN}, {_NO_INPUT}, {_OUTPUT}
FROM unnest($1::uuid[], $2::integer[]) AS wanted(id, after), LATERAL (
    SELECT * FROM task_events WHERE task_id = wanted.id AND version > wanted.after ORDER BY version LIMIT $3
) AS e, LATERAL (SELECT * FROM tasks WHERE tasks.id = wanted.id LIMIT 1) AS t
WHERE $4::text IS NULL OR e.tenant = $4
ORDER BY e.task_id, e.version LIMIT $3
"""

NOW = f"SELECT {_HERE}, (SELECT xid FROM task_events ORDER BY xid DESC LIMIT 1)::text AS newest FROM installation"


class Move(Struct, frozen=True, gc=False):
    """A task that has got a version."""

    task_id: UUID
    version: int


class FeedPage(Struct, Generic[T], frozen=True):
    """What is new since a position. The versions of a task are in order."""

    items: list[T]
    xids: list[int]
    """Which transaction has written each of them."""
    position: Position
    """Where to go on."""
    is_complete: bool
    """Whether this was everything up to the moment of reading; otherwise there is more to be read at once."""


async def current_position(db: Database, incarnation: str | None) -> Position:
    """Return the position from which only later changes follow.

    Raises:
        ResumeTokenExpired: The database is no longer `incarnation`; None is any.
    """
    row = await db.fetchrow(NOW)
    assert row is not None
    _refuse_another(row, incarnation)
    # Numbers below the floor were given to events too, which are no longer kept.
    xmax = max(int(row["floor"]), 0 if row["newest"] is None else int(row["newest"]) + 1)
    return Position.of_snapshot(row["here"]).ending_at(xmax)


async def feed_since(
    db: Database, position: Position, incarnation: str | None, limit: int = EVENTS_MAX
) -> FeedPage[Task]:
    """Return about `limit` of the versions that all tasks of all tenants have got since `position`, without payloads.

    Raises:
        ResumeTokenExpired: Some of them are no longer kept, the database is older than the position, or it is no longer
            `incarnation`, in which the position was read; None is any.
    """
    return await _read(db, FEED, position, incarnation, limit, to_task)


async def moves_since(
    db: Database, position: Position, incarnation: str | None, limit: int = EVENTS_MAX
) -> FeedPage[Move]:
    """Return the same as `feed_since`, but only which tasks have moved, at a third of the cost.

    Raises:
        ResumeTokenExpired: As there.
    """
    return await _read(db, MOVES, position, incarnation, limit, _to_move)


async def versions_after(
    db: Database,
    wanted: Iterable[tuple[UUID, int]],
    limit: int,
    *,
    tenant: str | None = None,
) -> list[Task]:
    """Return tasks as they were at each version above the given one, by id and version, at most `limit` in all.

    With the output at the version that is SUCCEEDED, without the input. `tenant` None is for a reader that serves all
    tenants.
    """
    ids, versions = zip(*wanted, strict=True) if (wanted := list(wanted)) else ((), ())
    rows = await db.fetch(VERSIONS, ids, versions, limit, tenant)
    return [to_task(row, full=True) for row in rows]


async def _read(
    db: Database,
    statement: str,
    position: Position,
    incarnation: str | None,
    limit: int,
    convert: Callable[[Record], T],
) -> FeedPage[T]:
    head, *rows = await _fetch(db, statement, position, limit + 1)
    _refuse_another(head, incarnation)
    here = Position.of_snapshot(head["here"])
    if _first_unread(position, here) < int(head["floor"]) or here.xmax < position.xmax:
        raise ResumeTokenExpired
    fresh = [row["xid"] for row in rows if row["xid"] >= position.xmax]
    is_complete = len(fresh) <= limit
    if is_complete:
        here = here.ending_at(max((xid + 1 for xid in fresh), default=position.xmax))
    else:
        rows, here = await _cut(db, statement, rows, here, min(fresh), max(fresh))
    rows.sort(key=_seq)
    return FeedPage([convert(row) for row in rows], [row["xid"] for row in rows], here, is_complete)


def _first_unread(position: Position, here: Position) -> int:
    """Return the first transaction that may be still to be read: of one that is open, nothing can be."""
    still_open = set(here.open)
    return next((xid for xid in position.open if xid not in still_open), position.xmax)


def _refuse_another(head: Record, incarnation: str | None) -> None:
    if incarnation is not None and head["incarnation"] != incarnation:
        raise ResumeTokenExpired


async def _fetch(db: Database, statement: str, position: Position, limit: int) -> list[Record]:
    # The limit is part of the text, so that the planner knows how little it is.
    query = statement.format(limit=limit)
    return await db.fetch(query, str(position.xmax), [str(xid) for xid in position.open])


async def _cut(
    db: Database, statement: str, rows: list[Record], here: Position, first: int, last: int
) -> tuple[list[Record], Position]:
    """End a page that is too long before transaction `last`, of which some may be missing.

    The position behind it is the snapshot of one who saw all transactions below, apart from the open ones.
    """
    end = last
    if first == last:
        # It is larger than a page: read it to its end.
        rows = [row for row in rows if row["xid"] < last]
        rows += (await _fetch(db, statement, Position(here.xmax, (last,)), 0))[1:]
        end = last + 1
    rows = [row for row in rows if row["xid"] < end]
    put_off = await _out_of_order(db, rows, end)
    open_ = {xid for xid in here.open if xid < end} | put_off
    return [row for row in rows if row["xid"] not in put_off], Position(end, tuple(sorted(open_)))


async def _out_of_order(db: Database, rows: Sequence[Record], end: int) -> set[int]:
    """Return the transactions in `rows` that have to wait for others from `end` on.

    A batch may take its number, then wait for a row that a later transaction changes first.
    """
    by_version = {(row["id"], row["version"]): row["xid"] for row in rows}
    lowest = [key for key in by_version if key[1] > 1 and (key[0], key[1] - 1) not in by_version]
    if not lowest:
        return set()
    late = await db.fetch(LATER_BELOW, *zip(*lowest, strict=True), str(end))
    put_off = {by_version[row["id"], row["version"] + 1] for row in late}
    grows = bool(put_off)
    while grows:
        above = {
            xid
            for (task_id, version), xid in by_version.items()
            if by_version.get((task_id, version - 1)) in put_off and xid not in put_off
        }
        put_off |= above
        grows = bool(above)
    return put_off


def _seq(row: Record) -> int:
    seq: int = row["seq"]
    return seq


def _to_move(row: Record) -> Move:
    return Move(row["id"], row["version"])

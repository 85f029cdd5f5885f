"""Statements that go straight to the day that their tasks are in, a batch of several days in as many statements.

Through the parent tables the server locks every day for each statement, and looks up the day of each row. Without that
a claim and a success of one task cost it 730 instead of 950 us, of a batch of 20 58 instead of 72 us a task, and of a
batch of 500 24.0 instead of 25.6. A create gains nothing: it is the search for rows that gets cheaper.

It is also a matter of being right. Where a statement locks rows, Postgres looks once more at a row that somebody has
changed since the statement began. In version 18 (18.4 at least) that goes wrong where another part of the same
statement leaves out days for each row, as an UPDATE does that finds its tasks by `t.id = ANY (ARRAY[held.id])` in the
parent table. Both looks share what decides about days. So the row that was looked at again may be taken for one of
another day and left out, an outcome lost; and when the locking part is over before the other one, that goes on with
memory that has been freed, and the whole server goes down. So no statement of ours that locks finds rows by the ids of
others in a parent table: those that are to be changed are named, and the tables are those of their day. Where a
day has another name it is the parent tables all the same: then all ids are of one day, which both looks agree on, and
locking is over last. See `tests/shared/store/test_rechecks.py`.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from functools import lru_cache
from itertools import groupby
from typing import TypeVar
from uuid import UUID

import asyncpg

from taskwire_shared.store.partitions import PARENTS, partition_name

T = TypeVar("T")

_DAY_MS = 86_400_000
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LAST_DAY = date.max.toordinal()
_STATEMENTS_MAX = 100
"""Remembered: a handful for each of the days that tasks are in."""

_PARENT = re.compile(rf"\b({'|'.join(PARENTS)})\b")


async def on_their_day(statement: str, ids: Sequence[UUID], run: Callable[[str], Awaitable[T]]) -> T:
    """Run `statement`, which concerns no tasks but `ids`, all of one day, on the tables of that day."""
    day = _day(ids[0])
    if day <= _LAST_DAY:
        # There is no such day where a ring was made up, or where somebody gave a day another name.
        with suppress(asyncpg.UndefinedTableError):
            return await run(_on_day(statement, day))
    return await run(statement)


def by_day(things: Sequence[T], id_of: Callable[[T], UUID]) -> Iterator[Sequence[T]]:
    """Divide `things`, which are in the order of their ids, by the days that they are of."""
    if things and _day(id_of(things[0])) == _day(id_of(things[-1])):
        yield things
        return
    for _, of_one_day in groupby(things, key=lambda thing: _day(id_of(thing))):
        yield list(of_one_day)


def ids_by_day(ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    """Divide ids in any order by the days that they are of."""
    if ids and _day(min(ids)) == _day(max(ids)):
        return iter([ids])
    return by_day(sorted(ids), lambda identifier: identifier)


def direct_statement(statement: str, ids: Sequence[UUID]) -> str:
    """Return `statement` for the tables of the day that all `ids` are of, or as it is where they are of several."""
    if not ids:
        return statement
    first, last = _day(min(ids)), _day(max(ids))
    return _on_day(statement, first) if first == last <= _LAST_DAY else statement


def _day(identifier: UUID) -> int:
    return _EPOCH_DAY + (identifier.int >> 80) // _DAY_MS


@lru_cache(_STATEMENTS_MAX)
def _on_day(statement: str, day: int) -> str:
    return _PARENT.sub(lambda parent: partition_name(parent[0], date.fromordinal(day)), statement)

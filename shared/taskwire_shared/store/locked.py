"""Changing tasks that a statement before, of the same transaction, has locked."""

from collections.abc import Callable, Sequence
from uuid import UUID

import asyncpg

from taskwire_shared.store.database import Database
from taskwire_shared.store.day import ids_by_day, on_their_day

IDLE_SECONDS_MAX = 2.0
"""Between two statements of such a transaction, until the server ends it: should this process be frozen in between,
others want what it has locked."""


async def hold_briefly(connection: asyncpg.Connection) -> None:
    """Limit how long a transaction, which has just begun, may be left alone."""
    await connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS_MAX * 1000:.0f}ms'")


async def lock_and_change(db: Database, lock: str, change: str, limit: int) -> list[asyncpg.Record]:
    """Run `change` on up to `limit` tasks, those whose ids `lock` returns, in one transaction; return its rows."""

    async def unit(connection: asyncpg.Connection) -> list[asyncpg.Record]:
        async with connection.transaction():
            await hold_briefly(connection)
            locked = await connection.fetch(lock, limit)
            return await change_locked(connection, change, [row["id"] for row in locked])

    return await db.run(unit)


async def change_locked(
    connection: asyncpg.Connection,
    statement: str,
    ids: Sequence[UUID],
    arguments: Callable[[Sequence[UUID]], Sequence[object]] = lambda ids: [ids],
) -> list[asyncpg.Record]:
    """Run `statement` on the tasks `ids`, day by day, with the `arguments` for the ids of each, and return its rows.

    Why locking is a statement of its own is in `day`.
    """
    rows: list[asyncpg.Record] = []
    for of_one_day in ids_by_day(ids):
        given = arguments(of_one_day)

        async def attempt(statement: str, given: Sequence[object] = given) -> list[asyncpg.Record]:
            # A savepoint: where there is no such day, the statement is tried again on all of them.
            async with connection.transaction():
                found: list[asyncpg.Record] = await connection.fetch(statement, *given)
                return found

        rows += await on_their_day(statement, of_one_day, attempt)
    return rows

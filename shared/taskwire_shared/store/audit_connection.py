"""A connection that only reads, for looking at everything without being in anybody's way."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Self, TypeVar

import asyncpg

from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.store.database import REFUSED, UNAVAILABLE

T = TypeVar("T")

CONNECT_SECONDS = 10.0
STATEMENT_SECONDS = 60.0
"""How long the server lets one statement run. A slice of histories takes about a third of a second."""
CLOSE_SECONDS = 5.0

_SETTINGS = {
    "application_name": "taskwire verify",
    "default_transaction_read_only": "on",
    "statement_timeout": f"{STATEMENT_SECONDS:.0f}s",
    # A day that is being dropped is waited for, but not for ever.
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "10s",
    "timezone": "UTC",
    # One core of the server at most for each connection, and no more memory than sorting a slice takes.
    "max_parallel_workers_per_gather": "0",
    "work_mem": "32MB",
    "jit": "off",
    # A slice is found by the index, whatever the planner believes of a table without statistics.
    "enable_seqscan": "off",
    "plan_cache_mode": "force_custom_plan",
}


class NotTaskwire(Exception):
    """The database has no tables of Taskwire, or those of another release: see `taskwire migrate`."""


class AuditConnection:
    """One connection. Statements see one snapshot each, or all the same one within `look`."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        """Connect, and disconnect at the end. Raises BackendUnavailable when the server does not answer."""
        connection = await _answered(
            lambda: asyncpg.connect(url, timeout=CONNECT_SECONDS, command_timeout=None, server_settings=_SETTINGS)
        )
        try:
            yield cls(connection)
        finally:
            await _close(connection)

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Run one statement and return its rows.

        Raises:
            BackendUnavailable: The server does not answer, or took longer than `STATEMENT_SECONDS`.
            NotTaskwire: A table or a column is not there.
        """
        return await _answered(
            lambda: self._connection.fetch(statement, *arguments, timeout=STATEMENT_SECONDS + CLOSE_SECONDS)
        )

    @asynccontextmanager
    async def look(self, settings: str = "") -> AsyncIterator[None]:
        """Let all statements of the block see the database as it was at the first. `settings` hold for them alone."""
        await self._execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            if settings:
                await self._execute(settings)
            yield
        finally:
            await self._execute("ROLLBACK")

    async def _execute(self, command: str) -> None:
        await _answered(lambda: self._connection.execute(command, timeout=CLOSE_SECONDS))


async def _answered(question: Callable[[], Awaitable[T]]) -> T:
    try:
        return await question()
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
        raise NotTaskwire from error
    except asyncpg.ReadOnlySQLTransactionError:
        # Nothing here writes, so that this is a fault of ours and not an outage.
        raise
    except (*UNAVAILABLE, *REFUSED, asyncpg.InterfaceError) as error:
        raise BackendUnavailable from error


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=CLOSE_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()

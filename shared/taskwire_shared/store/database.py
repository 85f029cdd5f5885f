"""A pool of connections, and what it means to run something on one of them."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Self, TypeVar

import asyncpg

from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.store.column import with_columns
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

T = TypeVar("T")
Unit = Callable[[asyncpg.Connection], Awaitable[T]]

ACQUIRE_SECONDS = 5.0
"""How long a unit waits for a free connection before the database counts as unavailable."""
STATEMENT_SECONDS = 30.0
"""How long the server lets one statement run."""
COMMAND_SECONDS = STATEMENT_SECONDS + 5.0
"""How long we wait for an answer: longer than the server, so that a time-out here means that it does not answer."""
CLOSE_SECONDS = 10.0
"""How long closing waits for units in progress before it cuts their connections."""
CONNECT_PAUSE_SECONDS = 0.25
IDLE_CONNECTION_SECONDS = 300.0
RETRIES_MAX = 5
"""Of a unit that lost a deadlock or a serialization conflict. Sorted batches do not deadlock with each other."""
RETRY_PAUSE_SECONDS = 0.05

_SESSION_SETTINGS = {
    # With small or stale statistics the planner turns `id = any($1)` into a sequential scan: a factor of ten.
    "enable_seqscan": "off",
    "jit": "off",
    # To start a worker takes longer than any statement of ours.
    "max_parallel_workers_per_gather": "0",
    # Plan each statement once per connection. Left to choose, the server plans a claim or a success of one task each
    # time, since it remembers how cheap plans looked when the tables were small: 1.8 ms of its time instead of 0.9, and
    # of batches of 500, 7 of 59 us a task. Statements are written so that the plan does not hang on the parameters.
    "plan_cache_mode": "force_generic_plan",
    "statement_timeout": f"{STATEMENT_SECONDS:.0f}s",
    "idle_in_transaction_session_timeout": "10s",
    "timezone": "UTC",
}

_REPEATABLE = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # A primary that has become a standby.
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,
)
"""What the driver raises when the server does not answer, or cuts us off."""
REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)
"""What it raises when the server answers, but not us: a wrong password, no such database, no right to it."""
# What the driver says of a connection that was lost before: to a unit that goes on with it, for example to tidy up.
_GONE = ("closed", "closing", "released back to the pool")

_log = logs.get(__name__)


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that goes back to the pool without a round trip: no unit leaves session state behind."""

    def get_reset_query(self) -> str:
        return ""


class Database:
    """A pool. Units of work run to their end even when their caller is cancelled."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.unavailable = 0
        """Units that the server did not answer."""
        self._pool = pool
        self._units: set[asyncio.Task[Any]] = set()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, *, pool_size: int = 10, name: str = "taskwire", connect_timeout: float = 0.0
    ) -> AsyncIterator[Self]:
        """Connect, and on leaving wait for the units in progress and disconnect.

        Args:
            url: `postgresql://user@host:port/database`.
            pool_size: The most connections.
            name: What the server shows as `application_name`.
            connect_timeout: For how many seconds to try again while the server does not answer.

        Raises:
            BackendUnavailable: The server did not answer in time.
        """
        pool = await _connect(url, pool_size, name, connect_timeout)
        database = cls(pool)
        try:
            yield database
        finally:
            await asyncio.shield(database._close())

    async def run(self, unit: Unit[T]) -> T:
        """Run `unit` with a connection, in a task of its own.

        A cancelled caller leaves at once; the unit finishes and the connection goes back. Deadlocks and serialization
        conflicts run the unit again, up to `RETRIES_MAX` times.

        Raises:
            BackendUnavailable: The server does not answer, or cuts us off. Whether the unit was committed is unknown.
        """
        task: asyncio.Task[T] = asyncio.ensure_future(self._run(unit))
        self._units.add(task)
        task.add_done_callback(self._finish)
        return await asyncio.shield(task)

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Run one statement and return its rows. Lists among the arguments are arrays of one dimension."""
        values = with_columns(arguments)
        return await self.run(lambda connection: connection.fetch(statement, *values))

    async def fetchrow(self, statement: str, *arguments: object) -> asyncpg.Record | None:
        """Run one statement and return its first row."""
        values = with_columns(arguments)
        return await self.run(lambda connection: connection.fetchrow(statement, *values))

    async def fetchval(self, statement: str, *arguments: object) -> Any:
        """Run one statement and return the first value of its first row."""
        values = with_columns(arguments)
        return await self.run(lambda connection: connection.fetchval(statement, *values))

    async def execute(self, statement: str, *arguments: object) -> str:
        """Run one statement and return its command tag."""
        values = with_columns(arguments)
        return await self.run(lambda connection: connection.execute(statement, *values))

    async def now(self) -> datetime:
        """Return the time by the clock of the server, the one that all processes share."""
        moment: datetime = await self.fetchval("SELECT clock_timestamp()")
        return moment

    async def _run(self, unit: Unit[T]) -> T:
        for retry in range(RETRIES_MAX + 1):
            try:
                return await self._attempt(unit)
            except _REPEATABLE as conflict:
                if retry == RETRIES_MAX:
                    raise BackendUnavailable from conflict
                _log.warning(Event.DATABASE_CONFLICT_RETRIED, retry=retry, error=str(conflict))
                await asyncio.sleep(random.uniform(0, RETRY_PAUSE_SECONDS * 2**retry))  # noqa: S311
        raise AssertionError("the last pass returns or raises")

    async def _attempt(self, unit: Unit[T]) -> T:
        try:
            async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                return await unit(connection)
        except UNAVAILABLE as error:
            raise BackendUnavailable from error
        except asyncpg.InterfaceError as error:
            # Also raised for wrong arguments, which are a fault of ours and must not look like an outage.
            if isinstance(error, ValueError) or not any(words in str(error) for words in _GONE):
                raise
            raise BackendUnavailable from error

    def _finish(self, task: asyncio.Task[Any]) -> None:
        self._units.discard(task)
        if not task.cancelled():
            # Retrieved here too, since nobody waits any more when the caller was cancelled.
            error = task.exception()
            self.unavailable += isinstance(error, BackendUnavailable)

    async def _close(self) -> None:
        if self._units:
            await asyncio.wait(self._units, timeout=CLOSE_SECONDS)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


async def _connect(url: str, pool_size: int, name: str, connect_timeout: float) -> asyncpg.Pool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + connect_timeout
    has_said = False
    while True:
        try:
            return await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=pool_size,
                timeout=ACQUIRE_SECONDS,
                command_timeout=COMMAND_SECONDS,
                max_inactive_connection_lifetime=IDLE_CONNECTION_SECONDS,
                connection_class=_Connection,
                server_settings={**_SESSION_SETTINGS, "application_name": name},
            )
        except UNAVAILABLE as error:
            if loop.time() >= deadline:
                raise BackendUnavailable from error
            if not has_said:
                # Else nobody would hear for a minute why a service does not start.
                _log.warning(Event.DATABASE_UNREACHABLE, error=f"{type(error).__name__}: {error}")
                has_said = True
            await asyncio.sleep(CONNECT_PAUSE_SECONDS)

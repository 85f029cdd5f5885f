"""What happens to Postgres."""

import asyncio
import signal
from contextlib import AsyncExitStack, suppress
from typing import ClassVar

import asyncpg

from taskwire_chaos.faults.fault import Fault
from taskwire_chaos.process_tree import signal_tree
from taskwire_chaos.servers import CONNECTIONS_MAX
from taskwire_chaos.site import Site, is_running, start_again
from taskwire_dev.postgres import Stop

POSTGRES = "postgres"
LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a fault of one kind may meet because another is at work."""


def is_free(site: Site) -> bool:
    """Tell whether Postgres runs and no fault is busy with it."""
    return POSTGRES not in site.busy and is_running(site.postgres)


class CrashPostgres(Fault):
    """SIGKILL or an immediate stop, and a recovery."""

    name: ClassVar[str] = "crash postgres"
    weight: ClassVar[int] = 4

    async def strike(self) -> None:
        """See `Fault`."""
        if not is_free(self.site):
            return
        async with self.site.taking(POSTGRES):
            self.note()
            if self.random.random() < 0.5:
                await self.site.postgres.child.stop([])
            else:
                await self.site.postgres.stop(Stop.IMMEDIATE)
            await asyncio.sleep(self.seconds(0, 3))
            await start_again(self.site.postgres)


class FreezePostgres(Fault):
    """SIGSTOP to Postgres and all its backends."""

    name: ClassVar[str] = "freeze postgres"
    weight: ClassVar[int] = 2

    async def strike(self) -> None:
        """See `Fault`."""
        if not is_free(self.site):
            return
        async with self.site.taking(POSTGRES):
            self.note()
            pid = self.site.postgres.child.pid
            signal_tree(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(self.seconds(0.5, 6))
            finally:
                signal_tree(pid, signal.SIGCONT)


class TerminateBackends(Fault):
    """Some sessions are terminated, wherever they are."""

    name: ClassVar[str] = "terminate backends"
    weight: ClassVar[int] = 5
    _STATEMENT = """
    SELECT count(pg_terminate_backend(pid)) FROM (
        SELECT pid FROM pg_stat_activity
        WHERE application_name LIKE 'taskwire%' ORDER BY random() LIMIT $1
    ) AS some
    """

    async def strike(self) -> None:
        """See `Fault`."""
        if not is_free(self.site):
            return
        self.note()
        with suppress(*LOST):
            async with self.site.connection() as connection:
                await connection.fetchval(self._STATEMENT, self.random.randint(1, 8))


class ExhaustConnections(Fault):
    """Somebody else takes every connection that is left."""

    name: ClassVar[str] = "exhaust connections"
    weight: ClassVar[int] = 2

    async def strike(self) -> None:
        """See `Fault`."""
        if not is_free(self.site):
            return
        self.note()
        with suppress(*LOST):
            async with AsyncExitStack() as stack:
                with suppress(*LOST):
                    for _ in range(CONNECTIONS_MAX):
                        await stack.enter_async_context(self.site.connection())
                await asyncio.sleep(self.seconds(2, 6))


class HoldRows(Fault):
    """Somebody else keeps rows locked, so that statements take their numbers and then wait."""

    name: ClassVar[str] = "hold rows"
    weight: ClassVar[int] = 4
    _STATEMENT = "SELECT id FROM tasks WHERE state <= 3 ORDER BY random() LIMIT $1 FOR UPDATE SKIP LOCKED"

    async def strike(self) -> None:
        """See `Fault`."""
        if not is_free(self.site):
            return
        self.note()
        with suppress(*LOST):
            async with self.site.connection() as connection, connection.transaction():
                await connection.fetch(self._STATEMENT, self.random.randint(1, 5))
                await asyncio.sleep(self.seconds(0.1, 2))


class ExpireLeases(Fault):
    """The leases of some processors pass at once, as when the clock of the database jumps."""

    name: ClassVar[str] = "expire leases"
    weight: ClassVar[int] = 2
    _STATEMENT = """
    UPDATE processors SET lease_until = clock_timestamp()
    WHERE id IN (SELECT id FROM processors WHERE lease_until > clock_timestamp() ORDER BY random() LIMIT $1)
    """

    async def strike(self) -> None:
        """See `Fault`."""
        if not is_free(self.site):
            return
        self.note()
        with suppress(*LOST):
            async with self.site.connection() as connection:
                # Seen by all at once, however slow the disk is.
                await connection.execute("SET synchronous_commit = off")
                await connection.execute(self._STATEMENT, self.random.randint(1, 2))

"""Disks that are full."""

import asyncio
import signal
from contextlib import suppress
from typing import ClassVar

import psutil

from taskwire_chaos.faults import nats, postgres
from taskwire_chaos.faults.fault import Fault
from taskwire_chaos.site import is_running, start_again

_SWITCHES_MAX = 64
"""More segments than the disk of the log has room for."""
_SWITCH_SECONDS = 12.0
_BACK_SECONDS = 20.0
_SWITCH = "SELECT pg_logical_emit_message(false, 'chaos', 'full'), pg_switch_wal()"


class FillNats(Fault):
    """The store of NATS has no room left for some seconds.

    Without a small disk its files may not grow instead. Then it is started again, as its operators have to: it may have
    switched JetStream off, or go on to refuse what it could not write once (2.15 does either).
    """

    name: ClassVar[str] = "fill nats disk"
    weight: ClassVar[int] = 2

    async def strike(self) -> None:
        """See `Fault`."""
        if not nats.is_free(self.site):
            return
        async with self.site.taking(nats.NATS):
            self.note()
            self._fill()
            try:
                await asyncio.sleep(self.seconds(2, 10))
            finally:
                self._free()
            await self.site.nats.stop(signal.SIGKILL)
            await start_again(self.site.nats)

    def _fill(self) -> None:
        if self.site.nats_disk is not None:
            self.site.nats_disk.fill()
        else:
            self._limit(0)

    def _free(self) -> None:
        if self.site.nats_disk is not None:
            self.site.nats_disk.free()
        else:
            self._limit(psutil.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        with suppress(psutil.Error, OSError):
            psutil.Process(self.site.nats.child.pid).rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))


class FillPostgres(Fault):
    """The disk of the write-ahead log is full: Postgres gives up, and comes back when there is room again."""

    name: ClassVar[str] = "fill postgres disk"
    weight: ClassVar[int] = 1

    async def strike(self) -> None:
        """See `Fault`. Does nothing without a small disk."""
        disk = self.site.postgres_disk
        if disk is None or not postgres.is_free(self.site):
            return
        async with self.site.taking(postgres.POSTGRES):
            self.note()
            disk.fill()
            try:
                await self._write_until_it_ends()
                await asyncio.sleep(self.seconds(0, 3))
            finally:
                disk.free()
            await self._wait_until_it_is_back()

    async def _write_until_it_ends(self) -> None:
        """Use up the segments that were laid out in advance, which the usual load would take minutes for."""
        with suppress(*postgres.LOST):
            async with asyncio.timeout(_SWITCH_SECONDS), self.site.connection() as connection:
                for _ in range(_SWITCHES_MAX):
                    await connection.fetchrow(_SWITCH)

    async def _wait_until_it_is_back(self) -> None:
        """It has ended, or is just ending, or has begun anew by itself when the room was given back."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _BACK_SECONDS
        while loop.time() < until:
            if not is_running(self.site.postgres):
                await start_again(self.site.postgres)
                return
            with suppress(*postgres.LOST):
                async with self.site.connection() as connection:
                    await connection.fetchval("SELECT 1")
                return
            await asyncio.sleep(0.2)

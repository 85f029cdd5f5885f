"""What happens to NATS and what it has stored."""

import asyncio
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import nats as nats_client
import nats.errors
import nats.js.errors
from nats.js import JetStreamContext

from taskwire_chaos.faults.fault import Fault
from taskwire_chaos.process_tree import signal_tree
from taskwire_chaos.site import Site, is_running, start_again

NATS = "nats"
LOST = (OSError, TimeoutError, nats.errors.Error, nats.js.errors.Error)
_CONNECT_SECONDS = 3


def is_free(site: Site) -> bool:
    """Tell whether NATS runs and no fault is busy with it."""
    return NATS not in site.busy and is_running(site.nats)


class _WhileStopped(Fault):
    """NATS is killed, something happens to its store, and it is started again."""

    async def strike(self) -> None:
        """See `Fault`."""
        if not is_free(self.site):
            return
        async with self.site.taking(NATS):
            self.note()
            self.before()
            await self.site.nats.stop(signal.SIGKILL)
            await asyncio.sleep(self.seconds(0, 4))
            self.change(self.site.nats.home)
            await start_again(self.site.nats)

    def before(self) -> None:
        """Do something while it still runs."""

    def change(self, store: Path) -> None:
        """Do something to the store."""


class KillNats(_WhileStopped):
    """SIGKILL."""

    name: ClassVar[str] = "kill nats"
    weight: ClassVar[int] = 5


class WipeNats(_WhileStopped):
    """Everything it has stored is gone."""

    name: ClassVar[str] = "wipe nats"
    weight: ClassVar[int] = 3

    def change(self, store: Path) -> None:
        """See `_WhileStopped`."""
        shutil.rmtree(store, ignore_errors=True)


class RollBackNats(_WhileStopped):
    """It comes back with what it had stored some time ago."""

    name: ClassVar[str] = "roll back nats"
    weight: ClassVar[int] = 2

    def before(self) -> None:
        """See `_WhileStopped`."""
        copy = self._copy()
        if not copy.exists():
            # Files come and go under the copy; what is missing is part of the fault.
            with suppress(shutil.Error, OSError):
                shutil.copytree(self.site.nats.home, copy)

    def change(self, store: Path) -> None:
        """See `_WhileStopped`."""
        shutil.rmtree(store, ignore_errors=True)
        if self._copy().exists():
            shutil.copytree(self._copy(), store, dirs_exist_ok=True)
            shutil.rmtree(self._copy())

    def _copy(self) -> Path:
        return self.site.nats.home.with_name("store.before")


class CorruptNats(_WhileStopped):
    """Bits of its files are flipped, or their ends cut off."""

    name: ClassVar[str] = "corrupt nats"
    weight: ClassVar[int] = 2

    def change(self, store: Path) -> None:
        """See `_WhileStopped`."""
        files = [file for file in store.rglob("*") if file.is_file() and file.stat().st_size > 0]
        for file in self.random.sample(files, min(3, len(files))):
            data = bytearray(file.read_bytes())
            if self.random.random() < 0.5:
                del data[self.random.randrange(len(data)) :]
            else:
                data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
            file.write_bytes(data)


class FreezeNats(Fault):
    """SIGSTOP, also for longer than clients wait."""

    name: ClassVar[str] = "freeze nats"
    weight: ClassVar[int] = 3

    async def strike(self) -> None:
        """See `Fault`."""
        if not is_free(self.site):
            return
        async with self.site.taking(NATS):
            self.note()
            pid = self.site.nats.child.pid
            signal_tree(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(self.seconds(1, 12))
            finally:
                signal_tree(pid, signal.SIGCONT)


class DeleteStream(Fault):
    """Somebody deletes the stream or a consumer through the API."""

    name: ClassVar[str] = "delete stream"
    weight: ClassVar[int] = 3

    async def strike(self) -> None:
        """See `Fault`."""
        if not is_free(self.site):
            return
        self.note()
        with suppress(*LOST):
            async with asyncio.timeout(_CONNECT_SECONDS):
                client = await nats_client.connect(self.site.nats.url, allow_reconnect=False, error_cb=ignore)
                try:
                    await self._delete(client.jetstream())
                finally:
                    await client.close()

    async def _delete(self, jetstream: JetStreamContext) -> None:
        for stream in await jetstream.streams_info():
            name = stream.config.name or ""
            if self.random.random() < 0.5:
                await jetstream.delete_stream(name)
            else:
                for consumer in await jetstream.consumers_info(name):
                    await jetstream.delete_consumer(name, consumer.name)


async def ignore(_: Exception) -> None:
    """Say nothing: other faults may be at work on the same server."""

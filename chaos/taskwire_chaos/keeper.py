"""Keeps a service running as an operator's supervisor does: whatever ends is started again."""

import asyncio

from taskwire_chaos.journal import Exited, Journal
from taskwire_chaos.proxy import Proxy
from taskwire_dev.failure import StartFailed
from taskwire_dev.service import Service

_PAUSE_SECONDS = 0.5
_RETRY_SECONDS = 1.0


class Keeper:
    """One service of a site, the links that lead from it, and what it is started with."""

    def __init__(self, service: Service, journal: Journal, proxies: dict[str, Proxy], front: Proxy | None) -> None:
        self.service = service
        self.proxies = proxies
        """By the name of the server behind them."""
        self.is_up = asyncio.Event()
        self.extra: dict[str, str] = {}
        """Variables that are set for its next start alone."""
        self._journal = journal
        self._front = front
        self._was_killed = False
        self._plain = dict(service.environment)
        self._stopped = False

    @property
    def name(self) -> str:
        """Return what the service is called."""
        return self.service.name

    @property
    def is_gateway(self) -> bool:
        """Tell which kind of service it is."""
        return self.service.kind == "gateway"

    async def keep(self) -> None:
        """Start it, and start it again whenever it has ended, until `stop`."""
        while not self._stopped:
            if await self._start():
                await self._wait_for_its_end()
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                await asyncio.sleep(_RETRY_SECONDS)

    async def kill(self) -> None:
        """Kill it with everything it has started, as when its machine dies."""
        if self.service.is_running:
            self._was_killed = True
            await self.service.kill()

    async def stop(self) -> None:
        """Ask it to end and start it no more."""
        self._stopped = True
        if self.service.is_running:
            self.service.thaw()
            self._was_killed = True
            await self.service.stop()

    async def restart(self) -> None:
        """Stop it gracefully; it is started again."""
        if self.service.is_running:
            self._was_killed = True
            await self.service.stop()

    async def _start(self) -> bool:
        self.service.environment = {**self._plain, **self.extra}
        self.extra = {}
        try:
            ready = await self.service.start()
        except StartFailed:
            # What it needs is away. It is tried again.
            return False
        if self._front is not None:
            host, _, port = ready.grpc.rpartition(":")
            self._front.target = (host, int(port))
        return True

    async def _wait_for_its_end(self) -> None:
        self._was_killed = False
        self.is_up.set()
        exit_code = await self.service.child.ended()
        self.is_up.clear()
        if not self._was_killed:
            self._journal.write(Exited(service=self.name, exit_code=exit_code))

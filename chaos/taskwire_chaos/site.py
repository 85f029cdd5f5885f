"""Everything that is broken and mended: servers, services, the links between them."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from taskwire_chaos.handlers import LEDGER_VARIABLE
from taskwire_chaos.journal import Journal, Overdue, Remark
from taskwire_chaos.keeper import Keeper
from taskwire_chaos.layout import RunFolder
from taskwire_chaos.planted.census import CENSUS_VARIABLE
from taskwire_chaos.planted.planting import BUG_VARIABLE
from taskwire_chaos.process_tree import signal_tree
from taskwire_chaos.proxy import Proxy
from taskwire_chaos.servers import Servers, start_servers
from taskwire_chaos.shape import Shape
from taskwire_dev.failure import StartFailed
from taskwire_dev.nats import EmbeddedNats
from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_dev.service import Service

POOL_SIZE = 6
"""Connections of each service: 30 of those that Postgres takes."""
START_SECONDS = 90.0
STEADY_SECONDS = 60.0
_GRACE_SECONDS = 3.0
_STARTS_MAX = 5
_PACKAGES = Path(__file__).resolve().parents[1]
_PLANTED = Path(__file__).resolve().parent / "planted" / "site"
PYTHONPATH = f"{_PLANTED}{os.pathsep}{_PACKAGES}"


class Site:
    """A running Taskwire in pieces."""

    def __init__(self, folder: RunFolder, shape: Shape, servers: Servers, journal: Journal) -> None:
        self.folder = folder
        self.shape = shape
        self.postgres = servers.postgres
        self.standby = servers.standby
        """Changes places with `postgres` when it is promoted."""
        self.nats_nodes = servers.nats_nodes
        self.nats = servers.nats_nodes[0]
        self.nats_disk = servers.nats_disk
        self.postgres_disk = servers.postgres_disk
        self.journal = journal
        self.keepers: list[Keeper] = []
        self.fronts: list[Proxy] = []
        """Between clients and gateways."""
        self.clients: dict[str, int] = {}
        """Process ids of clients and watchers by name, kept by whoever runs them."""
        self.busy: set[str] = set()
        """What some fault is busy with, by name."""
        self.strikes: Counter[str] = Counter()
        """How often each fault has struck, by name."""
        self._keeping: list[asyncio.Task[None]] = []

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: RunFolder, shape: Shape, journal: Journal) -> AsyncIterator[Self]:
        """Start everything and wait until it serves; stop it at the end."""
        async with AsyncExitStack() as stack:
            servers = await start_servers(stack, folder, shape)
            for remark in servers.remarks:
                journal.write(Remark(text=remark))
            site = cls(folder, shape, servers, journal)
            try:
                await site._build(stack)
                yield site
            finally:
                await site._stop()

    @property
    def gateways(self) -> list[Keeper]:
        """Return the gateways."""
        return [keeper for keeper in self.keepers if keeper.is_gateway]

    @property
    def processors(self) -> list[Keeper]:
        """Return the processors."""
        return [keeper for keeper in self.keepers if not keeper.is_gateway]

    @property
    def servers(self) -> list[EmbeddedPostgres | EmbeddedNats]:
        """Return every server."""
        return [self.postgres, *([self.standby] if self.standby else []), *self.nats_nodes]

    def turn_to(self, postgres: EmbeddedPostgres) -> None:
        """Lead every link to Postgres to another server, as a name or an address that moves does."""
        self.postgres = postgres
        for keeper in self.keepers:
            proxy = keeper.proxies[postgres.name]
            proxy.target = (proxy.target[0], postgres.port)
            proxy.reset()

    @property
    def links(self) -> list[Proxy]:
        """Return every link."""
        return [*self.fronts, *(proxy for keeper in self.keepers for proxy in keeper.proxies.values())]

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return where clients reach the gateways."""
        return tuple(front.address for front in self.fronts)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Connect to Postgres directly, for faults and for looking at what is there."""
        connection = await asyncpg.connect(self.postgres.url("postgres"), timeout=5, command_timeout=20)
        try:
            yield connection
        finally:
            connection.terminate()

    @asynccontextmanager
    async def taking(self, name: str) -> AsyncIterator[None]:
        """Keep other faults off something for the time of a block."""
        self.busy.add(name)
        try:
            yield
        finally:
            self.busy.discard(name)

    def free(self, keepers: Iterable[Keeper]) -> list[Keeper]:
        """Return those that run and that no fault is busy with."""
        return [keeper for keeper in keepers if keeper.name not in self.busy and keeper.is_up.is_set()]

    async def heal(self) -> None:
        """Mend everything and wait until all serve: links, frozen processes, servers, services, in this order."""
        for link in self.links:
            link.heal()
        self._thaw_all()
        for server in self.servers:
            if not is_running(server):
                await start_again(server)
        for keeper in self.keepers:
            keeper.extra = {}
        await self.steady()

    async def steady(self) -> None:
        """Wait until every service runs; write down those that do not in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(STEADY_SECONDS):
                for keeper in self.keepers:
                    await keeper.is_up.wait()
        for keeper in self.keepers:
            if not keeper.is_up.is_set():
                self.journal.write(Overdue(task="", what=f"{keeper.name} has not served", seconds=STEADY_SECONDS))

    def _thaw_all(self) -> None:
        for keeper in self.keepers:
            if keeper.service.is_running:
                signal_tree(keeper.service.child.pid, signal.SIGCONT)
        for server in self.servers:
            if is_running(server):
                signal_tree(server.child.pid, signal.SIGCONT)
        for pid in self.clients.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def _build(self, stack: AsyncExitStack) -> None:
        for kind, count in (("gateway", self.shape.gateways), ("processor", self.shape.processors)):
            for number in range(1, count + 1):
                self.keepers.append(await self._keeper(stack, kind, f"{kind}-{number}"))
        for keeper in self.keepers:
            self._keeping.append(asyncio.create_task(keeper.keep()))
        async with asyncio.timeout(START_SECONDS):
            for keeper in self.keepers:
                await keeper.is_up.wait()

    async def _keeper(self, stack: AsyncExitStack, kind: str, name: str) -> Keeper:
        proxies = {}
        for server in (self.postgres, *self.nats_nodes):
            proxy = Proxy(f"{name} to {server.name}", "127.0.0.1", server.port)
            proxies[server.name] = await stack.enter_async_context(proxy)
        front = None
        if kind == "gateway":
            front = await stack.enter_async_context(Proxy(f"clients to {name}", "127.0.0.1", 0))
            self.fronts.append(front)
        service = Service(
            kind,
            name,
            environment=self._environment(proxies),
            log=self.folder.logs / f"{name}.log",
            grace=_GRACE_SECONDS,
        )
        return Keeper(service, self.journal, proxies, front)

    def _environment(self, proxies: Mapping[str, Proxy]) -> dict[str, str]:
        given = {
            "LISTEN": "127.0.0.1:0",
            "DATABASE_URL": _through(self.postgres.url("postgres"), proxies[self.postgres.name]),
            "DATABASE_POOL_SIZE": str(POOL_SIZE),
            "NATS_URL": ",".join(_through(node.url, proxies[node.name]) for node in self.nats_nodes),
            "HANDLERS": "taskwire_chaos.handlers",
            "CONCURRENCY": "20",
            "LEASE_SECONDS": f"{self.shape.lease_seconds:g}",
            "CANCEL_GRACE_SECONDS": f"{self.shape.cancel_grace_seconds:g}",
            "GRACE_SECONDS": f"{_GRACE_SECONDS:g}",
            **self.shape.settings,
        }
        environment = {f"TASKWIRE_{name}": value for name, value in given.items()}
        environment |= {"PATH": os.environ["PATH"], "PYTHONPATH": PYTHONPATH, "TZ": "UTC"}
        environment[LEDGER_VARIABLE] = str(self.folder.journals)
        environment[CENSUS_VARIABLE] = str(self.folder.logs)
        if self.shape.bug:
            environment[BUG_VARIABLE] = self.shape.bug
        return environment

    async def _stop(self) -> None:
        for link in self.links:
            link.heal()
        await asyncio.gather(*(keeper.stop() for keeper in self.processors), return_exceptions=True)
        await asyncio.gather(*(keeper.stop() for keeper in self.gateways), return_exceptions=True)
        for task in self._keeping:
            task.cancel()
        if self._keeping:
            await asyncio.wait(self._keeping)
        for keeper in self.keepers:
            await keeper.kill()


async def start_again(server: EmbeddedPostgres | EmbeddedNats) -> None:
    """Start a server as a supervisor does: again when it did not come up at once."""
    for left in reversed(range(_STARTS_MAX)):
        try:
            await server.start()
        except StartFailed:
            if not left:
                raise
            if isinstance(server, EmbeddedNats):
                # Nothing in its store is promised.
                server.wipe()
            await asyncio.sleep(1)
        else:
            return


def is_running(server: EmbeddedPostgres | EmbeddedNats) -> bool:
    """Tell whether an embedded server has a process."""
    try:
        return server.child.exit_code is None
    except RuntimeError:
        return False


def _through(url: str, proxy: Proxy) -> str:
    parts = urlsplit(url)
    netloc = f"{parts.netloc.rpartition('@')[0]}@{proxy.address}"
    return urlunsplit(parts._replace(netloc=netloc))

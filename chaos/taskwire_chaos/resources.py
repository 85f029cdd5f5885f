"""What services hold on to: memory, descriptors, connections, asyncio tasks, and consumers at NATS."""

import asyncio
import os
from contextlib import suppress

import msgspec
import nats as nats_client
import nats.errors
import psutil

from taskwire_chaos.journal import Held
from taskwire_chaos.keeper import Keeper
from taskwire_chaos.planted.census import ASK, answer_file
from taskwire_chaos.site import Site

SAMPLES = 20
_PAUSE_SECONDS = 0.5
_ANSWER_SECONDS = 5.0
_POLL_SECONDS = 0.02
_LOST = (OSError, TimeoutError, nats.errors.Error)


async def note_resources(site: Site, when: str) -> None:
    """Write down the least that each service held within some seconds. To be called while nothing is broken."""
    least: dict[str, Held] = {}
    for _ in range(SAMPLES):
        consumers = await _consumers(site)
        for keeper in site.keepers:
            found = await _held(site, keeper, when, consumers)
            least[keeper.name] = found if keeper.name not in least else _lesser(least[keeper.name], found)
        await asyncio.sleep(_PAUSE_SECONDS)
    for held in least.values():
        site.journal.write(held)


def _lesser(one: Held, other: Held) -> Held:
    fields = ("memory", "descriptors", "tasks", "postgres", "nats", "consumers")
    return msgspec.structs.replace(other, **{name: min(getattr(one, name), getattr(other, name)) for name in fields})


async def _held(site: Site, keeper: Keeper, when: str, consumers: int) -> Held:
    pid = keeper.service.child.pid
    process = psutil.Process(pid)
    return Held(
        service=keeper.name,
        when=when,
        pid=pid,
        memory=process.memory_info().rss,
        descriptors=process.num_fds(),
        tasks=await _tasks(site, pid),
        postgres=keeper.proxies[site.postgres.name].count,
        nats=sum(keeper.proxies[node.name].count for node in site.nats_nodes),
        consumers=consumers,
    )


async def _tasks(site: Site, pid: int) -> int:
    file = answer_file(site.folder.logs, pid)
    file.unlink(missing_ok=True)
    os.kill(pid, ASK)
    async with asyncio.timeout(_ANSWER_SECONDS):
        while not file.exists():
            await asyncio.sleep(_POLL_SECONDS)
    return int(file.read_text())


async def _consumers(site: Site) -> int:
    """Return how many consumers NATS keeps, in all streams."""
    client = await nats_client.connect(site.nats.url, allow_reconnect=False)
    try:
        with suppress(*_LOST):
            account = await client.jetstream().account_info()
            return account.consumers
    finally:
        await client.close()
    return 0

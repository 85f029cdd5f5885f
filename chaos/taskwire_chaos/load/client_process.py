"""A process with many callers."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

import grpc.aio

from taskwire.client import Client
from taskwire.v1.task_service_pb2_grpc import TaskServiceStub
from taskwire_chaos.journal import Finished, Journal
from taskwire_chaos.layout import RunFolder
from taskwire_chaos.load.caller import Caller
from taskwire_chaos.load.foreigner import Foreigner
from taskwire_chaos.load.operations import Operations
from taskwire_chaos.load.plan import LoadPlan
from taskwire_chaos.load.watches import Watches


async def call_until_told(plan: LoadPlan, folder: RunFolder) -> None:
    """Make calls until SIGTERM, then see everything that was begun to its end."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    # The order in which replies arrive is not repeatable, the choices of each worker are.
    random = Random(f"{plan.seed}/{plan.who}")  # noqa: S311
    with Journal(folder.journal(plan.who)) as journal:
        async with _clients(plan) as clients, _channels(plan) as channels, asyncio.TaskGroup() as group:
            stubs = [TaskServiceStub(channel) for channel in channels]
            watches = Watches(journal, clients, stubs, random, group, plan.watches_max)
            foreigner = Foreigner(journal, channels, random)
            caller = Caller(journal, clients, random, hasty=plan.hasty)
            operations = Operations(caller, watches, foreigner, random)
            peeping = group.create_task(foreigner.watch_everything())
            await asyncio.gather(*(_work(plan, operations, random, stop) for _ in range(plan.workers)))
            await watches.settle(plan.settle_seconds)
            peeping.cancel()
        journal.write(Finished(who=plan.who))


@asynccontextmanager
async def _clients(plan: LoadPlan) -> AsyncIterator[Sequence[Client]]:
    clients = [Client(address, timeout=plan.call_seconds) for address in plan.addresses]
    try:
        yield clients
    finally:
        for client in clients:
            await client.close()


@asynccontextmanager
async def _channels(plan: LoadPlan) -> AsyncIterator[Sequence[grpc.aio.Channel]]:
    channels = [grpc.aio.insecure_channel(address) for address in plan.addresses]
    try:
        yield channels
    finally:
        for channel in channels:
            await channel.close(None)


async def _work(plan: LoadPlan, operations: Operations, random: Random, stop: asyncio.Event) -> None:
    names, weights = list(plan.operations), list(plan.operations.values())
    while not stop.is_set():
        try:
            async with asyncio.timeout(random.expovariate(1000 / plan.pause_ms)):
                await stop.wait()
        except TimeoutError:
            await operations.by_name[random.choices(names, weights)[0]]()

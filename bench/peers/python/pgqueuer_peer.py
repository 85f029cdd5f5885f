"""PgQueuer on Postgres: pgqueuer_peer.py prepare | work | enqueue COUNT."""

import asyncio
import os
import sys
from datetime import timedelta

import asyncpg
import uvloop
from handing_in import LANES, PAYLOAD, asked_for, batches, say_end, say_start
from pgqueuer import PgQueuer, Queries
from pgqueuer.db import AsyncpgDriver
from tally import measure


async def connect() -> AsyncpgDriver:
    return AsyncpgDriver(await asyncpg.connect(os.environ["PEER_POSTGRES"]))


async def prepare() -> None:
    await Queries(await connect()).install()


async def work() -> None:
    queue = PgQueuer(await connect())

    @queue.entrypoint("measure")
    async def run(job) -> None:
        measure(job.payload.decode())

    await queue.run(batch_size=200, dequeue_timeout=timedelta(seconds=1))


async def enqueue() -> None:
    lanes = [Queries(await connect()) for _ in range(LANES)]
    # As with everybody: what is handed in is made before the clock starts, and encoded after.
    todo = iter([(["measure"] * size, [PAYLOAD.encode()] * size, [0] * size) for size in batches(asked_for())])

    async def follow(queries: Queries) -> None:
        for batch in todo:
            await queries.enqueue(*batch)

    say_start()
    await asyncio.gather(*(follow(queries) for queries in lanes))
    say_end()


if __name__ == "__main__":
    uvloop.run({"prepare": prepare, "work": work, "enqueue": enqueue}[sys.argv[1]]())

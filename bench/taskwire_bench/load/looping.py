"""The statements of the store in bare loops: what Postgres allows on this machine.

That each of them has changed what it should is audited afterwards, from the tables.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from taskwire_bench.load import orders
from taskwire_bench.load.line import Line
from taskwire_bench.load.reports import Looped
from taskwire_shared.domain.ids import new_id
from taskwire_shared.store.claims import CLAIM, DUE_SLACK_SECONDS
from taskwire_shared.store.completions import SUCCEED
from taskwire_shared.store.creations import CREATE_ALIKE
from taskwire_shared.store.database import Database
from taskwire_shared.store.day import direct_statement
from taskwire_shared.store.processors import Processor, deregister, register

_TENANT = "default"
_QUEUE = "default"
_TYPE = "limit"
"""No processor has it: these tasks are ours alone, also beside a running system."""
_LEASE_SECONDS = 3600.0
_REHEARSALS = 6
"""Batches before the clock starts: Postgres plans a statement anew five times before it may keep a plan."""
_STATEMENTS = {"create": CREATE_ALIKE, "claim": CLAIM, "succeed": SUCCEED}


class Batch:
    """The arguments of the three statements, made before the clock starts."""

    def __init__(self, processor: UUID, size: int, payload: bytes) -> None:
        ids = sorted(new_id() for _ in range(size))
        result = str(len(payload)).encode()
        self.ids = ids
        self.size = size
        self.arguments: dict[str, tuple[Any, ...]] = {
            "create": (
                *(ids, [identifier.bytes for identifier in ids], [payload] * size),
                *(_TENANT, _QUEUE, _TYPE, 2, False, None),
            ),
            "claim": (processor, ids, [_TYPE], size, DUE_SLACK_SECONDS),
            "succeed": (processor, ids, [1] * size, [result] * size, [True] * size, [None] * size),
        }


async def loop_over_statements(order: orders.Limit, line: Line) -> None:
    """Carry out `orders.Limit`."""
    me = Processor(id=new_id(), queues=None, types=[_TYPE], concurrency=order.batch, host="bench")
    payload = b"p" * order.payload_bytes
    todo = [Batch(me.id, size, payload) for size in _sizes(order.tasks, order.batch)]
    async with Database.open(order.database_url, pool_size=order.connections, name="taskwire limit") as db:
        await register(db, me, _LEASE_SECONDS)
        rehearsed, curtain = asyncio.Barrier(order.connections + 1), asyncio.Event()
        batches, spent = iter(todo), Counter[str]()

        async def loop(connection: Any) -> None:
            await _live(connection, iter([Batch(me.id, order.batch, payload) for _ in range(_REHEARSALS)]), Counter())
            await rehearsed.wait()
            await curtain.wait()
            # Each connection takes the next batch through all of its life.
            await _live(connection, batches, spent)

        async with asyncio.TaskGroup() as group:
            for _ in range(order.connections):
                group.create_task(db.run(loop))
            await rehearsed.wait()
            await line.reach("ready")
            started = time.perf_counter()
            curtain.set()
        seconds = time.perf_counter() - started
        await deregister(db, me.id)
    await line.report(
        Looped(
            rehearsed=order.connections * _REHEARSALS * order.batch,
            seconds=seconds,
            create_seconds=spent["create"],
            claim_seconds=spent["claim"],
            succeed_seconds=spent["succeed"],
        )
    )


async def _live(connection: Any, batches: Iterator[Batch], spent: Counter[str]) -> None:
    for batch in batches:
        for name, statement in _STATEMENTS.items():
            before = time.perf_counter()
            # As the store does: see `store.day`.
            await connection.fetch(direct_statement(statement, batch.ids), *batch.arguments[name])
            spent[name] += time.perf_counter() - before  # type: ignore[assignment]  # Seconds, not a count.


def _sizes(tasks: int, batch: int) -> list[int]:
    return [batch] * (tasks // batch) + ([tasks % batch] if tasks % batch else [])

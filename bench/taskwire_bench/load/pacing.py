"""An open loop: tasks arrive by the clock, whether those before them are done or not, so that a stall is not hidden."""

import asyncio
import time
from typing import Any

from taskwire.v1.task_pb2 import TaskState
from taskwire_bench.load import orders
from taskwire_bench.load.following import open_feed, read_feed
from taskwire_bench.load.ledger import Ledger
from taskwire_bench.load.line import Line
from taskwire_bench.load.reports import Arrival, Paced
from taskwire_bench.load.requests import CALL_SECONDS, CREATE, connect, creates

_PATIENCE_SECONDS = 60.0


async def create_by_the_clock(order: orders.Paced, line: Line) -> None:
    """Carry out `orders.Paced`. The watching client is this same process, on a connection of its own."""
    ledger = Ledger(keep_sights=True)
    requests = [
        (request.task_id, request.SerializeToString()) for request in creates(order.tasks, order.type, "default", 0)
    ]
    sender, watcher = connect(order.address), connect(order.address)
    try:
        await sender.channel_ready()
        feed = await open_feed(watcher)
        await line.reach("ready")
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read_feed(feed, ledger, order.tasks))
            sent = await _send_all(sender, requests, order.rate)
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await reading
        await line.report(Paced(arrivals=tuple(_arrival(ledger, task_id, *sent[task_id]) for task_id, _ in requests)))
    finally:
        await asyncio.gather(sender.close(), watcher.close())


async def _send_all(channel: Any, requests: list[tuple[str, bytes]], rate: float) -> dict[str, tuple[int, int]]:
    """Return when each task was due and when its reply came."""
    call = channel.unary_unary(CREATE)
    sent: dict[str, tuple[int, int]] = {}

    async def send(task_id: str, request: bytes, due: int) -> None:
        await call(request, timeout=CALL_SECONDS)
        sent[task_id] = due, time.time_ns()

    start = time.time_ns()
    async with asyncio.TaskGroup() as group:
        for number, (task_id, request) in enumerate(requests):
            due = start + round(number / rate * 1e9)
            wait = (due - time.time_ns()) / 1e9
            if wait > 0:
                await asyncio.sleep(wait)
            group.create_task(send(task_id, request, due))
    return sent


def _arrival(ledger: Ledger, task_id: str, due: int, reply: int) -> Arrival:
    sights = ledger.sights[task_id]
    return Arrival(
        task_id=task_id,
        due_ns=due,
        reply_ns=reply,
        final_ns=sights[TaskState.TASK_STATE_SUCCEEDED].at_ns,
        event_ms=tuple(sight.delay_ms for sight in sights.values()),
    )

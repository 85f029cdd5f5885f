"""A constant load for a long time, and probes that feel what one caller among many feels."""

import asyncio
import time
from typing import Any

from taskwire.v1 import task_service_pb2
from taskwire_bench.load import orders
from taskwire_bench.load.line import Line
from taskwire_bench.load.reports import Held, Probe
from taskwire_bench.load.requests import CALL_SECONDS, CREATE, batch_call, batch_of, connect, create_request, creates

_WATCH_TASK = f"/{orders.SERVICE}/WatchTask"


async def hold_steady(order: orders.Steady, line: Line) -> None:
    """Carry out `orders.Steady`. Requests are made as they are due: those of ten minutes would fill the memory."""
    crowd, single = connect(order.address), connect(order.address)
    late_ms: list[float] = []
    probes: list[Probe] = []
    try:
        await asyncio.gather(crowd.channel_ready(), single.channel_ready())
        await line.reach("ready")
        start = time.time_ns()
        async with asyncio.TaskGroup() as group:
            group.create_task(_send_batches(crowd, order, start, late_ms))
            group.create_task(_send_probes(single, order, start, probes))
        tasks = len(late_ms) * order.batch + len(probes)
        await line.report(Held(tasks=tasks, late_ms=tuple(late_ms), probes=tuple(probes)))
    finally:
        await asyncio.gather(crowd.close(), single.close())


async def _send_batches(channel: Any, order: orders.Steady, start: int, late_ms: list[float]) -> None:
    call = batch_call(channel)

    async def send(due: int) -> None:
        await call(batch_of(list(creates(order.batch, order.type, "default", 100))), timeout=CALL_SECONDS)
        late_ms.append((time.time_ns() - due) / 1e6)

    async with asyncio.TaskGroup() as group:
        for number in range(int(order.seconds * order.rate / order.batch)):
            due = start + round(number * order.batch / order.rate * 1e9)
            await _until(due)
            group.create_task(send(due))


async def _send_probes(channel: Any, order: orders.Steady, start: int, probes: list[Probe]) -> None:
    create, watch = channel.unary_unary(CREATE), channel.unary_stream(_WATCH_TASK)

    async def send(due: int) -> None:
        request = create_request(order.type, "default", b"p" * 100)
        await create(request.SerializeToString(), timeout=CALL_SECONDS)
        replied = time.time_ns()
        stream = watch(task_service_pb2.WatchTaskRequest(task_id=request.task_id).SerializeToString())
        while await stream.read():
            pass
        probes.append(Probe(due, (replied - due) / 1e6, (time.time_ns() - due) / 1e6))

    async with asyncio.TaskGroup() as group:
        for number in range(int(order.seconds / order.probe_seconds)):
            due = start + round(number * order.probe_seconds * 1e9)
            await _until(due)
            group.create_task(send(due))


async def _until(due: int) -> None:
    wait = (due - time.time_ns()) / 1e9
    if wait > 0:
        await asyncio.sleep(wait)

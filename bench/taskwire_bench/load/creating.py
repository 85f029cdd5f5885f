"""Creating tasks as fast as they are taken: in batches, or one by one."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, TypeVar

from taskwire_bench.load import orders
from taskwire_bench.load.line import Line
from taskwire_bench.load.reports import Created
from taskwire_bench.load.requests import CALL_SECONDS, CREATE, batch_call, batches, connect, creates

Request = TypeVar("Request")
Call = Callable[[Request], Awaitable[object]]


async def create_in_batches(order: orders.Batches, line: Line) -> None:
    """Carry out `orders.Batches`."""
    requests = batches(order.tasks, order.type, order.queue, order.payload_bytes, order.batch)
    channels = [connect(address) for address in order.addresses]
    try:
        await asyncio.gather(*(channel.channel_ready() for channel in channels))
        calls = [_patient(batch_call(channel)) for channel in channels]
        # Several in flight, spread evenly over the gateways.
        lanes = [calls[number % len(calls)] for number in range(max(order.in_flight, len(calls)))]
        await line.reach("ready")
        report, _ = await _drive(lanes, requests)
        await line.report(report)
    finally:
        await asyncio.gather(*(channel.close() for channel in channels))


async def call_one_by_one(order: orders.Unary, line: Line) -> None:
    """Carry out `orders.Unary`."""
    requests = [
        b"" if order.empty else request.SerializeToString()
        for request in creates(order.calls, order.type, "default", order.payload_bytes)
    ]
    channel = connect(order.address)
    try:
        await channel.channel_ready()
        # Serialised beforehand: what a call costs the client is not what is asked here.
        call = _patient(channel.unary_unary(orders.EMPTY_METHOD if order.empty else CREATE))
        await line.reach("ready")
        report, took = await _drive([call] * order.in_flight, requests)
        await line.report(
            Created(
                first_create_ns=report.first_create_ns, last_reply_ns=report.last_reply_ns, milliseconds=tuple(took)
            )
        )
    finally:
        await channel.close()


def _patient(call: Any) -> Call[Any]:
    async def make(request: object) -> object:
        return await call(request, timeout=CALL_SECONDS)

    return make


async def _drive(lanes: Iterable[Call[Request]], requests: Iterable[Request]) -> tuple[Created, list[float]]:
    """Send all requests, each lane one after the other. The first failure ends everything."""
    todo = iter(requests)
    took: list[float] = []
    started = time.time_ns()
    async with asyncio.TaskGroup() as group:
        for call in lanes:
            group.create_task(_follow(call, todo, took))
    return Created(first_create_ns=started, last_reply_ns=time.time_ns()), took


async def _follow(call: Call[Request], todo: Iterator[Request], took: list[float]) -> None:
    for request in todo:
        before = time.perf_counter()
        await call(request)
        took.append((time.perf_counter() - before) * 1e3)

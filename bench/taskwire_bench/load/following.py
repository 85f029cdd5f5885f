"""Watching clients: a stream for each task, or one for all."""

import asyncio
import time
from typing import Any

import grpc

from taskwire.v1 import task_service_pb2
from taskwire_bench.load import orders
from taskwire_bench.load.ledger import Ledger
from taskwire_bench.load.line import Line
from taskwire_bench.load.reports import Followed
from taskwire_bench.load.requests import CALL_SECONDS, batch_call, batch_of, connect, creates

_WATCH_TASK = f"/{orders.SERVICE}/WatchTask"
_WATCH_TASKS = f"/{orders.SERVICE}/WatchTasks"
_CREATE_BATCH = 500
_SAMPLE_MAX = 200_000


async def follow_each(order: orders.Streams, line: Line) -> None:
    """Carry out `orders.Streams`."""
    ledger = Ledger()
    channels = [connect(order.address) for _ in range(order.connections)]
    try:
        ids = await _create_waiting(channels[0], order)
        await line.reach("created")
        wave, opened = asyncio.Semaphore(order.wave), asyncio.Semaphore(0)
        started = time.perf_counter()
        watches = [
            asyncio.create_task(_follow_one(channels[number % len(channels)], task_id, ledger, wave, opened))
            for number, task_id in enumerate(ids)
        ]
        async with asyncio.timeout(order.patience_seconds):
            for _ in ids:
                await opened.acquire()
        opened_seconds = time.perf_counter() - started
        await line.reach("opened")
        _, late = await asyncio.wait(watches, timeout=order.patience_seconds)
        for watch in late:
            watch.cancel()
            ledger.blame("a stream did not end in time")
        await line.report(_followed(ledger, opened_seconds))
    finally:
        await asyncio.gather(*(channel.close() for channel in channels))


async def follow_all(order: orders.Feed, line: Line) -> None:
    """Carry out `orders.Feed`."""
    ledger = Ledger()
    channel = connect(order.address)
    try:
        feed = await open_feed(channel)
        await line.reach("opened")
        try:
            async with asyncio.timeout(order.patience_seconds):
                await read_feed(feed, ledger, order.tasks)
        except TimeoutError:
            ledger.blame(f"only {ledger.complete} of {order.tasks} tasks were complete in time")
        await line.report(_followed(ledger, 0.0))
    finally:
        await channel.close()


async def open_feed(channel: Any) -> Any:
    """Open a watch of all tasks and return it when it has started."""
    request = task_service_pb2.WatchTasksRequest().SerializeToString()
    feed = channel.unary_stream(_WATCH_TASKS)(request)
    first = task_service_pb2.WatchTasksResponse.FromString(await feed.read())
    if not first.HasField("started"):
        raise RuntimeError("a watch does not begin with its position")
    return feed


async def read_feed(feed: Any, ledger: Ledger, tasks: int) -> None:
    """Read until so many tasks are complete."""
    while ledger.complete < tasks:
        message = task_service_pb2.WatchTasksResponse.FromString(await feed.read())
        for task in message.changes.tasks:
            ledger.note(task)


async def _create_waiting(channel: Any, order: orders.Streams) -> list[str]:
    requests = list(creates(order.streams, order.type, order.queue, 100))
    call = batch_call(channel)
    for start in range(0, len(requests), _CREATE_BATCH):
        await call(batch_of(requests[start : start + _CREATE_BATCH]), timeout=CALL_SECONDS)
    return [request.task_id for request in requests]


async def _follow_one(
    channel: Any, task_id: str, ledger: Ledger, wave: asyncio.Semaphore, opened: asyncio.Semaphore
) -> None:
    done = False
    request = task_service_pb2.WatchTaskRequest(task_id=task_id).SerializeToString()
    try:
        async with wave:
            stream = channel.unary_stream(_WATCH_TASK)(request)
            _note(await stream.read(), ledger)
        opened.release()
        while message := await stream.read():
            done = _note(message, ledger)
    except grpc.aio.AioRpcError as error:
        ledger.blame(f"{task_id}: {error.code().name} {error.details()}")
    if not done:
        ledger.blame(f"{task_id}: its stream ended before it did")


def _note(message: bytes, ledger: Ledger) -> bool:
    event = task_service_pb2.WatchTaskResponse.FromString(message)
    return event.HasField("task") and ledger.note(event.task)


def _followed(ledger: Ledger, opened_seconds: float) -> Followed:
    step = max(1, len(ledger.delay_ms) // _SAMPLE_MAX)
    return Followed(
        complete=ledger.complete,
        events=ledger.events,
        opened_seconds=opened_seconds,
        first_event_ns=ledger.first_ns,
        last_event_ns=ledger.last_ns,
        delay_ms=tuple(ledger.delay_ms[::step]),
        seconds=tuple(ledger.seconds),
        faults=tuple(ledger.faults),
    )

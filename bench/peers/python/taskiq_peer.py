"""Taskiq on NATS JetStream, results in Redis: taskiq_peer.py enqueue COUNT; its worker is its own command."""

import asyncio
import os

from handing_in import asked_for, one_by_one, say_end, say_start
from tally import measure
from taskiq_nats import PullBasedJetStreamBroker
from taskiq_redis import RedisAsyncResultBackend

broker = PullBasedJetStreamBroker(
    servers=[os.environ["PEER_NATS"]],
    queue="peer_taskiq",
    stream_name="peer_taskiq",
    durable="peer_taskiq",
    pull_consume_batch=100,
).with_result_backend(RedisAsyncResultBackend(os.environ["PEER_REDIS"] + "/1"))


@broker.task
async def run(payload: str) -> int:
    return measure(payload)


async def enqueue() -> None:
    await broker.startup()
    say_start()
    await one_by_one(asked_for(), run.kiq)
    say_end()
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(enqueue())

"""Dramatiq on Redis, with results: dramatiq_peer.py enqueue COUNT; its worker is its own command."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from handing_in import PAYLOAD, asked_for, say_end, say_start
from tally import measure

_url = os.environ["PEER_REDIS"] + "/2"
broker = RedisBroker(url=_url)
broker.add_middleware(Results(backend=RedisBackend(url=_url)))
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True)
def run(payload: str) -> int:
    return measure(payload)


if __name__ == "__main__":
    say_start()
    for _ in range(asked_for()):
        run.send(PAYLOAD)
    say_end()

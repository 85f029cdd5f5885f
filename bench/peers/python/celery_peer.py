"""Celery on Redis, with results and late acknowledgement: celery_peer.py enqueue COUNT; its worker is a command."""

import os

from celery import Celery
from handing_in import PAYLOAD, asked_for, say_end, say_start
from tally import measure

_url = os.environ["PEER_REDIS"] + "/3"
app = Celery("celery_peer", broker=_url, backend=_url)
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=64, broker_connection_retry_on_startup=True)


@app.task(name="measure")
def run(payload: str) -> int:
    return measure(payload)


if __name__ == "__main__":
    say_start()
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(asked_for()):
            run.apply_async((PAYLOAD,), producer=producer)
    say_end()

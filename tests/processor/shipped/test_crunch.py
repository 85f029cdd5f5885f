"""The handler `crunch`."""

import asyncio

import pytest

from taskwire.handlers import Mode
from taskwire.testing import run, start
from taskwire_processor.shipped.crunch import crunch


@pytest.mark.parametrize(("n", "primes"), [(1, 0), (2, 1), (100, 25), (7919, 1000)])
async def test_crunch_counts_primes(n, primes):
    outcome = await run(crunch, {"n": n})

    assert outcome.output.data == str(primes).encode()


async def test_crunch_stops_when_it_is_told_to():
    trial = start(crunch, {"n": 100_000_000})
    await asyncio.sleep(0)
    trial.cancel()
    outcome = await trial.outcome()

    assert outcome.cancelled
    assert crunch.mode is Mode.PROCESS

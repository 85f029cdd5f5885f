"""The open watches: their number, their clocks, their end."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from taskwire_gateway.watches import Watches
from taskwire_shared.domain.errors import TooManyWatches, WatchMoved
from taskwire_shared.telemetry.metrics import GatewayMetrics


def _watches(limit=2, age=300.0, heartbeat=15.0):
    return Watches(limit, age, heartbeat, GatewayMetrics(CollectorRegistry()))


async def test_p9_there_are_only_so_many():
    watches = _watches()
    with watches.open("WatchTask"), watches.open("WatchTasks"):
        with pytest.raises(TooManyWatches) as caught, watches.open("WatchTask"):
            pass
        assert caught.value.limit == 2
    with watches.open("WatchTask"):
        pass


async def test_ages_differ_and_a_heartbeat_comes_before_it_is_missed():
    watches = _watches(limit=100)
    now = asyncio.get_running_loop().time()
    ages = []
    for _ in range(50):
        with watches.open("WatchTask") as watch:
            ages.append(watch.ends_at - now)
            assert 10 < watch.heartbeat_at - now < 15
            assert not watch.heartbeat_is_due
    assert min(ages) >= 270
    assert max(ages) < 331
    assert max(ages) - min(ages) > 10


async def test_a_watch_waits_for_whatever_is_first():
    watches = _watches(heartbeat=0.05)
    with watches.open("WatchTask") as watch:
        async with asyncio.timeout(5):
            await watch.wait()
        assert watch.heartbeat_is_due
        watch.spoke()
        assert not watch.heartbeat_is_due
        watch.heartbeat_at += 100
        waiting = asyncio.ensure_future(watch.wait())
        await asyncio.sleep(0)
        watch.alarm.ring()
        async with asyncio.timeout(5):
            await waiting


async def test_leaving_moves_every_watch_and_opens_no_more():
    watches = _watches()
    with watches.open("WatchTask") as watch:
        waiting = asyncio.ensure_future(watch.wait())
        await asyncio.sleep(0)
        await watches.leave()
        await asyncio.wait_for(waiting, 5)
        with pytest.raises(WatchMoved):
            watch.check_age()
    with pytest.raises(WatchMoved), watches.open("WatchTask"):
        pass

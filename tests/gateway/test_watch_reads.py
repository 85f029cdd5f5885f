"""Reads of single watches, a few at a time."""

import asyncio
from unittest.mock import Mock

from taskwire_gateway import health_probe
from taskwire_gateway import watch_reads as module
from taskwire_gateway.health import Health
from taskwire_gateway.health_probe import probe_health
from taskwire_gateway.watch_reads import WatchReads
from taskwire_shared.domain.ids import new_id
from taskwire_shared.store import reads


async def test_only_a_few_read_at_once(db, monkeypatch):
    at_once = most = 0

    async def counted(*_args, **_more):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1

    monkeypatch.setattr(reads, "get_task", counted)
    watch_reads = WatchReads(db)
    await asyncio.gather(*(watch_reads.task("t", new_id(), full=False) for _ in range(50)))
    assert most == module.READS_MAX


async def test_the_history_of_no_task_is_empty(db):
    page = await WatchReads(db).versions(new_id(), 0)
    assert (page.versions, page.is_last) == ([], True)


async def test_health_follows_the_database(db, eventually):
    health = Health(())
    health.serve_all()
    health.set_whole(serving=False)
    probing = asyncio.create_task(probe_health(db, health))
    await eventually(lambda: health.is_serving)
    health.leave()
    health.set_whole(serving=True)
    assert not health.is_serving
    probing.cancel()
    await asyncio.wait((probing,))


async def test_probes_of_a_gateway_that_stops_log_no_change(db, eventually, monkeypatch):
    log, probes = Mock(), 0

    async def count(_db):
        nonlocal probes
        probes += 1

    monkeypatch.setattr(health_probe, "_log", log)
    monkeypatch.setattr(health_probe, "probe", count)
    monkeypatch.setattr(health_probe, "PROBE_SECONDS", 0.001)
    health = Health(())
    health.serve_all()
    probing = asyncio.create_task(probe_health(db, health))
    await eventually(lambda: probes > 0)
    health.leave()
    seen = probes
    await eventually(lambda: probes > seen + 2)
    probing.cancel()
    await asyncio.wait((probing,))
    assert log.warning.mock_calls == []

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.task import NewTask, TaskState
from taskwire_shared.store import queues
from taskwire_shared.store.claims import claim_rung
from taskwire_shared.store.creations import Creations
from taskwire_shared.store.processors import Processor, register
from taskwire_shared.store.queues import (
    Depth,
    count_queues,
    depths,
    estimated_depths,
    existing_queues,
    get_queue,
    list_queues,
    pause_queue,
    resume_queue,
    served_queues,
)


async def create(db, count=1, **given):
    usual = {"tenant": "default", "queue": "mail", "type": "send", "request_hash": bytes(16)}
    tasks = [NewTask(**({"id": new_id()} | usual | given)) for _ in range(count)]
    await Creations(db).create_tasks(tasks)
    return [task.id for task in tasks]


async def processor_of(db, *, queues=None, lease_seconds=60.0):
    identifier = uuid4()
    await register(
        db, Processor(id=identifier, queues=queues, types=["send"], concurrency=10, host="here"), lease_seconds
    )
    return identifier


async def test_a_queue_tells_how_full_it_is(db):
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    await create(db, 3, schedule_at=in_an_hour)
    pending = await create(db, 4)
    await create(db, 2, expire_at=in_an_hour)
    await create(db, 5, queue="other")
    await create(db, 5, tenant="other")
    processor = await processor_of(db)
    await processor_of(db, queues=["mail"])
    await processor_of(db, queues=["other"])
    await processor_of(db, lease_seconds=-1.0)
    await claim_rung(db, processor, pending[:1], ["send"], 1)

    queue = await get_queue(db, "default", "mail")

    assert (queue.tenant, queue.name, queue.paused) == ("default", "mail", False)
    stats = queue.stats
    assert (stats.scheduled, stats.pending, stats.running, stats.processors) == (3, 5, 1, 2)
    assert stats.oldest_pending_at <= stats.sampled_at


async def test_an_empty_queue_has_no_oldest_task(db):
    await processor_of(db)
    await claim_rung(db, await processor_of(db), await create(db), ["send"], 1)
    assert (await get_queue(db, "default", "mail")).stats.oldest_pending_at is None


async def test_a_queue_that_is_not_there_is_none(db):
    await create(db, tenant="alpha")
    assert await get_queue(db, "beta", "mail") is None
    assert await pause_queue(db, "beta", "mail") is None
    assert await resume_queue(db, "beta", "mail") is None


async def test_queues_are_listed_by_name(db):
    for name in ("c", "a", "b"):
        await create(db, queue=name)
    await create(db, queue="d", tenant="other")
    assert [queue.name for queue in await list_queues(db, "default", after="", limit=2)] == ["a", "b"]
    assert [queue.name for queue in await list_queues(db, "default", after="b", limit=2)] == ["c"]
    assert await count_queues(db, "default") == 3
    names = [*(queue.name for queue in await list_queues(db, "default", after="", limit=10)), "absent"]
    assert await existing_queues(db, "default", names) == frozenset(names[:-1])
    assert await existing_queues(db, "nobody", names) == frozenset()


async def test_a_queue_is_paused_and_resumed(db):
    [identifier] = await create(db)
    processor = await processor_of(db)
    for _ in range(2):
        assert (await pause_queue(db, "default", "mail")).paused
        assert await claim_rung(db, processor, [identifier], ["send"], 1) == []
    for _ in range(2):
        assert not (await resume_queue(db, "default", "mail")).paused
    assert len(await claim_rung(db, processor, [identifier], ["send"], 1)) == 1


async def test_queues_that_somebody_has_open_are_served(db):
    for tenant in ("alpha", "beta"):
        for name in ("mail", "video"):
            await create(db, tenant=tenant, queue=name)
    await pause_queue(db, "alpha", "mail")
    await pause_queue(db, "alpha", "video")
    await pause_queue(db, "beta", "video")
    assert await served_queues(db) == {"mail"}
    assert await served_queues(db, ["video", "mail", "absent"]) == {"mail"}
    assert await served_queues(db, []) == frozenset()


@pytest.mark.parametrize("look", [depths, estimated_depths])
async def test_depths_count_what_has_not_ended(db, look):
    """An estimate from all pages is a count, too."""
    await create(db, 3)
    await create(db, 2, tenant="other")
    await create(db, 1, schedule_at=datetime.now(UTC) + timedelta(hours=1))
    running = await create(db, 1)
    await claim_rung(db, await processor_of(db), running, ["send"], 1)
    assert set(await look(db)) == {
        Depth("default", "mail", TaskState.SCHEDULED, 1),
        Depth("default", "mail", TaskState.PENDING, 3),
        Depth("default", "mail", TaskState.RUNNING, 1),
        Depth("other", "mail", TaskState.PENDING, 2),
    }


async def test_an_estimate_from_some_pages_is_near_the_truth(db, monkeypatch):
    await create(db, 5_000)
    monkeypatch.setattr(queues, "SAMPLED_PAGES", 50)
    assert await db.fetchval(queues.COUNT_PAGES) > 100
    (depth,) = await estimated_depths(db)
    assert (depth.queue, depth.state) == ("mail", TaskState.PENDING)
    # Of 50 chosen pages, in which are as many tasks each, five standard deviations.
    assert depth.count == pytest.approx(5_000, rel=5 / 50**0.5)


async def test_a_count_that_takes_too_long_is_given_up(db):
    await create(db, 3)

    async def wait_for_the_table(connection):
        async with connection.transaction():
            await connection.execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
            return await depths(db, seconds=0.1)

    assert await db.run(wait_for_the_table) is None
    assert len(await depths(db)) == 1
    assert db.unavailable == 0

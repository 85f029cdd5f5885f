import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.domain.ids import floor_id, new_id
from taskwire_shared.domain.task import Payload, RetryPolicy, TaskPriority, TaskState
from taskwire_shared.store import claims, dues
from taskwire_shared.store import locked as locked_rows

PENDING, RUNNING = TaskState.PENDING, TaskState.RUNNING


async def test_claims_by_id(db, creations, new_task, processor, read, history):
    task = new_task(retry_policy=RetryPolicy(attempt_timeout_ms=60_000))
    await creations.create_tasks([task])
    (claimed,) = await claims.claim_rung(db, processor, [task.id], ["echo"], 10)
    stored = await read(task.id)
    assert (claimed.id, claimed.attempt, claimed.attempt_count, claimed.type) == (task.id, 1, 1, "echo")
    assert (claimed.input, claimed.retry_policy) == (task.input, task.retry_policy)
    assert (claimed.queue, claimed.runs_alone) == ("default", False)
    assert (stored.state, stored.processor) == (RUNNING, processor)
    created_at, started_at, due_at = await db.fetchrow("SELECT created_at, started_at, due_at FROM tasks")
    read_times = [datetime.fromtimestamp(seconds, UTC) for seconds in (claimed.created_at, claimed.started_at)]
    assert read_times == [created_at, started_at]
    assert claimed.waited_seconds == pytest.approx((started_at - created_at).total_seconds(), abs=1e-6)
    assert due_at - started_at == timedelta(seconds=60 + claims.DUE_SLACK_SECONDS)
    assert await history(task.id) == [PENDING, RUNNING]


async def test_an_attempt_is_ended_by_others_only_after_the_grace_that_its_processor_gives(
    db, creations, new_task, processor
):
    rung, waiting = (new_task(retry_policy=RetryPolicy(attempt_timeout_ms=60_000)) for _ in range(2))
    await creations.create_tasks([rung, waiting])
    claimed = await claims.claim_rung(db, processor, [rung.id], ["echo"], 1, 600.0)
    claimed += await claims.claim_waiting(db, processor, None, ["echo"], 1, claims.EVERYTHING, 600.0)
    dues = {row["id"]: row["due_at"] for row in await db.fetch("SELECT id, due_at FROM tasks")}

    assert [dues[task.id].timestamp() - task.started_at for task in claimed] == pytest.approx([660] * 2, abs=1e-6)


async def test_claims_what_fits_and_knows_its_types(db, creations, new_task, processor):
    tasks = [new_task() for _ in range(5)]
    other = new_task(type="other")
    await creations.create_tasks([*tasks, other])
    ids = [other.id, *(task.id for task in tasks), new_id()]
    assert len(await claims.claim_rung(db, processor, ids, ["echo"], 3)) == 3
    assert len(await claims.claim_rung(db, processor, ids, ["echo"], 3)) == 2
    assert await claims.claim_rung(db, processor, ids, ["echo"], 3) == []
    assert [claimed.id for claimed in await claims.claim_rung(db, processor, ids, ["echo", "other"], 3)] == [other.id]


@pytest.fixture(params=["rung", "waiting"])
def claim(request, db, processor):
    async def run(ids, limit=10, processor=processor):
        if request.param == "rung":
            return await claims.claim_rung(db, processor, ids, ["echo"], limit)
        return await claims.claim_waiting(db, processor, None, ["echo"], limit)

    return run


async def test_leaves_out_what_must_not_start(db, creations, new_task, claim, new_processor, processor):
    now = datetime.now(UTC)
    expired = new_task(expire_at=now - timedelta(seconds=1))
    later = new_task(schedule_at=now + timedelta(hours=1))
    paused = new_task(queue="paused")
    tasks = [expired, later, paused]
    await creations.create_tasks(tasks)
    await db.execute("UPDATE queues SET paused = true WHERE name = 'paused'")
    assert await claim([task.id for task in tasks]) == []

    open_task = new_task()
    await creations.create_tasks([open_task])
    ids = [open_task.id]
    assert await claim(ids, processor=new_id()) == []
    assert await claim(ids, processor=await new_processor(lease_seconds=0.0)) == []
    assert [claimed.id for claimed in await claim(ids)] == ids


async def test_a_pause_is_of_one_tenant(db, creations, new_task, claim):
    mine, theirs = new_task(), new_task(tenant="other")
    await creations.create_tasks([mine, theirs])
    await db.execute("UPDATE queues SET paused = true WHERE tenant = 'default'")
    assert [claimed.id for claimed in await claim([mine.id, theirs.id])] == [theirs.id]


async def test_a_locked_row_holds_up_nobody(db, creations, new_task, claim):
    tasks = [new_task(), new_task()]
    await creations.create_tasks(tasks)

    async def unit(connection):
        async with connection.transaction():
            await connection.execute("SELECT FROM tasks WHERE id = $1 FOR UPDATE", tasks[0].id)
            return await claim([task.id for task in tasks])

    assert [claimed.id for claimed in await db.run(unit)] == [tasks[1].id]


async def test_the_most_urgent_and_oldest_come_first(db, creations, new_task, processor):
    low, normal, high = TaskPriority
    wanted = [new_task(priority=priority, queue=queue) for priority in (high, normal, low) for queue in ("a", "b")]
    await creations.create_tasks(wanted)
    order = []
    while claimed := await claims.claim_waiting(db, processor, ["a", "b", "absent"], ["echo", "absent"], 1):
        order += [task.id for task in claimed]
    assert order == [task.id for task in sorted(wanted, key=lambda task: (-task.priority, task.id))]


async def test_waiting_tasks_of_other_queues_and_types_stay(db, creations, new_task, processor):
    await creations.create_tasks([new_task(queue="a"), new_task(queue="b"), new_task(queue="a", type="other")])
    claimed = await claims.claim_waiting(db, processor, ["a"], ["echo"], 10)
    assert [(task.queue, task.type) for task in claimed] == [("a", "echo")]
    assert await claims.claim_waiting(db, processor, ["absent"], ["echo"], 10) == []
    assert await claims.claim_waiting(db, processor, [], ["echo"], 10) == []


async def test_of_a_slice_only_its_tasks_are_claimed(db, creations, new_task, processor):
    now = datetime.now(UTC)
    old, middle, new = (new_task(id=floor_id(now - timedelta(minutes=minutes))) for minutes in (3, 2, 1))
    await creations.create_tasks([old, middle, new])

    async def claim(start, end):
        ids = claims.Slice(start, end)
        return [task.id for task in await claims.claim_waiting(db, processor, None, ["echo"], 10, ids)]

    assert await claim(middle.id, new.id) == [middle.id]
    assert await claim(middle.id, new.id) == []
    assert await claim(new.id, claims.EVERYTHING.end) == [new.id]
    assert await claim(claims.EVERYTHING.start, new.id) == [old.id]


async def test_what_waits_in_a_day_of_another_name_is_claimed(db, creations, new_task, processor):
    task = new_task()
    await creations.create_tasks([task])
    day = await db.fetchval("SELECT tableoid::regclass::text FROM tasks")
    await db.execute(f"ALTER TABLE {day} RENAME TO some_day")
    assert [one.id for one in await claims.claim_waiting(db, processor, None, ["echo"], 10)] == [task.id]


async def test_p4_racing_claimers_claim_each_task_once(db, creations, new_task, new_processor, history):
    tasks = [new_task() for _ in range(300)]
    await creations.create_tasks(tasks)
    ids = [task.id for task in tasks]
    processors = [await new_processor() for _ in range(4)]
    batches = await asyncio.gather(
        *(claims.claim_rung(db, processor, ids[::step], ["echo"], 100) for processor in processors for step in (1, -1)),
        *(claims.claim_waiting(db, processor, None, ["echo"], 50) for processor in processors),
    )
    claimed = [task.id for batch in batches for task in batch]
    assert len(claimed) == len(set(claimed))
    while batch := await claims.claim_waiting(db, processors[0], None, ["echo"], 100):
        claimed += [task.id for task in batch]
    assert sorted(claimed) == sorted(ids)
    assert await db.fetchval("SELECT count(*) FROM task_events WHERE state = 3") == len(ids)


async def test_progress_of_the_attempt_before_is_gone(db, creations, new_task, processor, read):
    task = new_task(input=Payload(data=b""))
    await creations.create_tasks([task])
    await db.execute("UPDATE tasks SET progress_fraction = 0.5, progress_at = now()")
    await claims.claim_rung(db, processor, [task.id], ["echo"], 1)
    assert (await read(task.id)).progress is None
    assert (await dues.start_due(db, 10)).changed == 0


@pytest.fixture
async def waiting(creations, new_task):
    task = new_task()
    await creations.create_tasks([task])
    return task


async def test_p5_look_that_takes_too_long_is_cut_off_and_claims_nothing(db, processor, waiting, monkeypatch, read):
    slow = claims.LOCK_WAITING.replace("SELECT first.id", "SELECT first.id, pg_sleep(60)")
    with monkeypatch.context() as patch:
        patch.setattr(claims, "LOCK_WAITING", slow)
        with pytest.raises(claims.CutOff):
            await claims.claim_waiting(db, processor, None, ["echo"], 10, seconds=0.05)

    assert (await read(waiting.id)).state is PENDING
    assert len(await claims.claim_waiting(db, processor, None, ["echo"], 10)) == 1


async def test_p5_what_a_frozen_processor_has_locked_is_soon_free_for_others(
    db, processor, new_processor, waiting, monkeypatch, eventually
):
    other, change = await new_processor(), claims.change_locked
    locked, gate = asyncio.Event(), asyncio.Event()

    async def freeze(*args):
        locked.set()
        await gate.wait()
        return await change(*args)

    with monkeypatch.context() as patch:
        patch.setattr(locked_rows, "IDLE_SECONDS_MAX", 0.1)
        patch.setattr(claims, "change_locked", freeze)
        frozen = asyncio.ensure_future(claims.claim_waiting(db, processor, None, ["echo"], 10))
        await asyncio.wait_for(locked.wait(), 10.0)
        await eventually(lambda: claims.claim_rung(db, other, [waiting.id], ["echo"], 1))
        gate.set()
        with pytest.raises(BackendUnavailable):
            await frozen

import asyncio
import re

from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import ATTEMPTS_EXHAUSTED, WORKER_LOST, Fence, Succeeded
from taskwire_shared.domain.ready import Ready
from taskwire_shared.domain.task import RetryPolicy, TaskPriority, TaskState
from taskwire_shared.store import cancels, claims, completions, processors, reaps

S = TaskState


async def kill(db, processor):
    """End a lease, as time would."""
    await db.execute("UPDATE processors SET lease_until = clock_timestamp() WHERE id = $1", processor)


async def test_p5_the_tasks_of_a_dead_processor_are_taken_back(db, claimed, processor, history, read):
    fence = await claimed()
    assert (await reaps.take_back(db, 10)).changed == 0
    await kill(db, processor)
    swept = await reaps.take_back(db, 10)
    assert swept.ready == (Ready(fence.task_id, "default", TaskPriority.NORMAL),)
    task = await read(fence.task_id)
    assert (task.last_failure.reason, task.attempt_count) == (WORKER_LOST, 1)
    assert await history(fence.task_id) == [S.PENDING, S.RUNNING, S.PENDING]


async def test_p5_and_of_one_that_has_signed_off(db, claimed, processor):
    await claimed()
    await processors.deregister(db, processor)
    assert (await reaps.take_back(db, 10)).changed == 1


async def test_p5_the_dead_are_found_before_between_and_behind_the_living(db, creations, new_task, new_processor):
    everybody = sorted([await new_processor() for _ in range(7)])
    tasks = [new_task() for _ in everybody]
    await creations.create_tasks(tasks)
    for processor, task in zip(everybody, tasks, strict=True):
        assert len(await claims.claim_rung(db, processor, [task.id], ["echo"], 1)) == 1
    dead = [0, 2, 3, 6]
    for number in dead:
        await kill(db, everybody[number])

    swept = await reaps.take_back(db, 10)

    assert sorted(one.id for one in swept.ready) == sorted(tasks[number].id for number in dead)
    assert (await reaps.take_back(db, 10)).changed == 0


async def touched_pages(db):
    """Return how many pages are looked at to find what is lost."""
    plan = await db.fetch("EXPLAIN (ANALYZE, BUFFERS) " + reaps.LOCK_LOST, 10)
    # The first node stands for all below it.
    return next(int(found[1]) for line in plan if (found := re.search(r"Buffers: shared hit=(\d+)", line[0])))


async def test_what_the_living_hold_is_stepped_over(db, creations, new_task, processor):
    """An open transaction may keep a million entries of theirs in the index, of tasks that have ended."""
    before = await touched_pages(db)
    tasks = [new_task() for _ in range(500)]
    await creations.create_tasks(tasks)
    await claims.claim_rung(db, processor, [task.id for task in tasks], ["echo"], 500)

    assert await touched_pages(db) <= before + 20


async def test_p8_a_task_that_kills_its_processors_fails(db, claimed, processor, history, read):
    fence = await claimed(retry_policy=RetryPolicy(max_attempts=1))
    await kill(db, processor)
    assert await reaps.take_back(db, 10) == reaps.Swept(ready=(), changed=1)
    task = await read(fence.task_id)
    assert (task.state, task.failure.reason, task.last_failure.reason) == (S.FAILED, ATTEMPTS_EXHAUSTED, WORKER_LOST)


async def test_p7_what_was_to_be_cancelled_is_not_tried_again(db, claimed, processor, history):
    fence = await claimed()
    await cancels.cancel(db, "default", fence.task_id, "")
    await kill(db, processor)
    assert await reaps.take_back(db, 10) == reaps.Swept(ready=(), changed=1)
    assert await history(fence.task_id) == [S.PENDING, S.RUNNING, S.RUNNING, S.CANCELLED]


async def test_what_a_living_processor_has_claimed_since_it_was_found_is_left_alone(db, claimed, processor):
    """Between its beginning and its lock, `LOCK_LOST` does not see who else has come to live."""
    fence = await claimed()
    assert await db.fetch(reaps.TAKE_BACK, [fence.task_id]) == []
    await kill(db, processor)
    assert len(await db.fetch(reaps.TAKE_BACK, [fence.task_id])) == 1
    assert await db.fetch(reaps.TAKE_BACK, [fence.task_id]) == []


async def test_many_sweepers_take_each_task_back_once(db, creations, new_task, processor):
    tasks = [new_task() for _ in range(100)]
    await creations.create_tasks(tasks)
    await claims.claim_rung(db, processor, [task.id for task in tasks], ["echo"], 100)
    await kill(db, processor)
    sweeps = await asyncio.gather(*(reaps.take_back(db, 15) for _ in range(12)))
    assert max(swept.changed for swept in sweeps) <= 15
    sweeps.append(await reaps.take_back(db, 100))
    assert sorted(ready.id for swept in sweeps for ready in swept.ready) == sorted(task.id for task in tasks)


async def test_a_claim_whose_reply_was_lost_goes_back_excused(db, claimed, processor, read):
    fence = await claimed()
    (settled,) = await reaps.hand_back_unknown(db, processor, [fence, Fence(new_id(), 1)])
    assert (settled.fence, settled.state) == (fence, S.PENDING)
    assert (await read(fence.task_id)).attempt_count == 0


async def test_the_dead_are_buried_when_they_hold_nothing(db, claimed, processor, new_processor):
    fence, fresh = await claimed(), await new_processor(lease_seconds=0)
    await db.execute("UPDATE processors SET lease_until = now() - interval '2 hours' WHERE id = $1", processor)
    await reaps.bury(db)
    assert await db.fetchval("SELECT count(*) FROM processors") == 2
    await completions.succeed(db, processor, [Succeeded(fence, None)])
    await reaps.bury(db)
    assert [row["id"] for row in await db.fetch("SELECT id FROM processors")] == [fresh]

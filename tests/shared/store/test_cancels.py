import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import Succeeded
from taskwire_shared.domain.task import TaskState
from taskwire_shared.store import cancels, claims, completions

S = TaskState
RACES = 1000


async def test_p7_a_task_that_waits_is_cancelled_at_once(db, creations, new_task, processor, read, history):
    pending, scheduled = new_task(), new_task(schedule_at=datetime.now(UTC) + timedelta(hours=1))
    await creations.create_tasks([pending, scheduled])
    for task, before in ((pending, S.PENDING), (scheduled, S.SCHEDULED)):
        cancelled = await cancels.cancel(db, "default", task.id, "no\0 longer")
        assert cancelled == structs.replace(await read(task.id), input=None)
        assert cancelled.finished_at == cancelled.cancel_requested_at.timestamp() == cancelled.updated_at
        assert await history(task.id) == [before, S.CANCELLED]
    assert await claims.claim_rung(db, processor, [pending.id, scheduled.id], ["echo"], 2) == []
    assert await db.fetchval("SELECT cancel_reason FROM tasks WHERE id = $1", pending.id) == "no\ufffd longer"


async def test_p7_a_running_task_is_asked_once(db, claimed, processor, history):
    fence = await claimed()
    first = await cancels.cancel(db, "default", fence.task_id, "a")
    second = await cancels.cancel(db, "default", fence.task_id, "b")
    assert first == second
    assert (first.state, first.version, first.processor, first.attempt) == (S.RUNNING, 3, processor, fence.attempt)
    assert await db.fetchval("SELECT cancel_reason FROM tasks") == "a"
    assert await history(fence.task_id) == [S.PENDING, S.RUNNING, S.RUNNING]


async def test_what_has_ended_is_left_alone(db, claimed, processor, history):
    fence = await claimed()
    await completions.succeed(db, processor, [Succeeded(fence, None)])
    cancelled = await cancels.cancel(db, "default", fence.task_id, "")
    assert (cancelled.state, cancelled.cancel_requested_at) == (S.SUCCEEDED, None)
    assert await history(fence.task_id) == [S.PENDING, S.RUNNING, S.SUCCEEDED]


async def test_p10_another_tenants_task_is_not_there(db, creations, new_task, history):
    task = new_task()
    await creations.create_tasks([task])
    assert await cancels.cancel(db, "other", task.id, "") is None
    assert await cancels.cancel(db, "default", new_id(), "") is None
    assert await history(task.id) == [S.PENDING]


@pytest.mark.slow
async def test_p7_of_a_cancel_and_a_completion_one_wins(db, creations, new_task, processor, history):
    tasks = [new_task() for _ in range(RACES)]
    await creations.create_tasks(tasks)
    fences = [
        completions.Fence(task.id, task.attempt)
        for task in await claims.claim_rung(db, processor, [task.id for task in tasks], ["echo"], RACES)
    ]
    told = dict.fromkeys((fence.task_id for fence in fences), None)

    async def race(fence):
        cancelled, applied = await asyncio.gather(
            cancels.cancel(db, "default", fence.task_id, ""),
            completions.succeed(db, processor, [Succeeded(fence, None)]),
        )
        told[fence.task_id] = (cancelled.cancel_requested_at is not None, cancelled.state, bool(applied))

    for start in range(0, RACES, 50):
        await asyncio.gather(*(race(fence) for fence in fences[start : start + 50]))
    for fence in fences:
        is_asked, state, applied = told[fence.task_id]
        states = await history(fence.task_id)
        assert applied
        assert states[-1] is S.SUCCEEDED
        # Either the cancel came first and was recorded, or it was told of the success.
        assert (is_asked, state) == ((True, S.RUNNING) if len(states) == 4 else (False, S.SUCCEEDED))


@pytest.mark.slow
async def test_p7_of_a_cancel_and_a_claim_one_wins(db, creations, new_task, processor, history):
    tasks = [new_task() for _ in range(RACES)]
    await creations.create_tasks(tasks)

    async def race(task):
        cancelled, claimed = await asyncio.gather(
            cancels.cancel(db, "default", task.id, ""), claims.claim_rung(db, processor, [task.id], ["echo"], 1)
        )
        assert cancelled.cancel_requested_at is not None
        states = await history(task.id)
        if claimed:
            assert states == [S.PENDING, S.RUNNING, S.RUNNING]
        else:
            assert states == [S.PENDING, S.CANCELLED]

    for start in range(0, RACES, 50):
        await asyncio.gather(*(race(task) for task in tasks[start : start + 50]))

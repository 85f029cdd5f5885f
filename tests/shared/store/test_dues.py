import asyncio
from datetime import UTC, datetime, timedelta

from taskwire_shared.domain.outcome import ATTEMPT_TIMED_OUT, ATTEMPTS_EXHAUSTED, EXPIRED, Succeeded
from taskwire_shared.domain.ready import Ready
from taskwire_shared.domain.task import RetryPolicy, TaskPriority, TaskState
from taskwire_shared.store import cancels, completions, dues

S = TaskState
HOUR = timedelta(hours=1)


async def make_due(db, column="schedule_at"):
    """Let an hour pass for what waits."""
    await db.execute(f"UPDATE tasks SET {column} = {column} - interval '1 hour', due_at = due_at - interval '1 hour'")


async def test_what_is_scheduled_starts_at_its_time(db, creations, new_task, history):
    task = new_task(schedule_at=datetime.now(UTC) + HOUR, priority=TaskPriority.HIGH, queue="mail")
    await creations.create_tasks([task])
    assert (await dues.start_due(db, 10)).changed == 0
    await make_due(db)
    swept = await dues.start_due(db, 10)
    assert swept.ready == (Ready(task.id, "mail", TaskPriority.HIGH),)
    assert await history(task.id) == [S.SCHEDULED, S.PENDING]
    assert (await dues.start_due(db, 10)).changed == 0


async def test_what_has_expired_fails(db, creations, new_task, history, read):
    soon = datetime.now(UTC) + HOUR
    pending = new_task(expire_at=soon)
    scheduled = new_task(schedule_at=soon - timedelta(minutes=1), expire_at=soon)
    before_its_start = new_task(schedule_at=soon + HOUR, expire_at=soon)
    await creations.create_tasks([pending, scheduled, before_its_start])
    await make_due(db, "expire_at")
    assert await dues.start_due(db, 10) == dues.Swept(ready=(), changed=3)
    for task, before in ((pending, S.PENDING), (scheduled, S.SCHEDULED), (before_its_start, S.SCHEDULED)):
        assert await history(task.id) == [before, S.FAILED]
        assert (await read(task.id)).failure.reason == EXPIRED
        assert (await read(task.id)).last_failure is None


async def test_an_attempt_whose_time_is_long_up_is_retried(db, claimed, history, read):
    policy = RetryPolicy(max_attempts=2, attempt_timeout_ms=1, initial_backoff_ms=60_000, max_backoff_ms=90_000)
    fence = await claimed(retry_policy=policy)
    assert (await dues.start_due(db, 10)).changed == 0
    await make_due(db)
    assert await dues.start_due(db, 10) == dues.Swept(ready=(), changed=1)
    task = await read(fence.task_id)
    assert task.last_failure.reason == ATTEMPT_TIMED_OUT
    assert 0 <= task.schedule_at.timestamp() - task.updated_at <= 60
    assert await history(fence.task_id) == [S.PENDING, S.RUNNING, S.SCHEDULED]


async def test_p8_an_attempt_that_times_out_may_be_the_last(db, claimed, read):
    fence = await claimed(retry_policy=RetryPolicy(max_attempts=1, attempt_timeout_ms=1))
    await make_due(db)
    await dues.start_due(db, 10)
    task = await read(fence.task_id)
    assert (task.state, task.failure.reason) == (S.FAILED, ATTEMPTS_EXHAUSTED)
    assert task.last_failure.reason == ATTEMPT_TIMED_OUT


async def test_p7_an_attempt_that_was_asked_to_stop_ends_cancelled(db, claimed, history):
    fence = await claimed(retry_policy=RetryPolicy(attempt_timeout_ms=1))
    await cancels.cancel(db, "default", fence.task_id, "")
    await make_due(db)
    await dues.start_due(db, 10)
    assert await history(fence.task_id) == [S.PENDING, S.RUNNING, S.RUNNING, S.CANCELLED]


async def test_an_expiry_does_not_end_a_running_attempt(db, claimed, processor, history):
    fence = await claimed(expire_at=datetime.now(UTC) + HOUR)
    await make_due(db, "expire_at")
    assert (await dues.start_due(db, 10)).changed == 0
    assert await completions.succeed(db, processor, [Succeeded(fence, None)]) == {fence}


async def test_many_sweepers_start_each_task_once(db, creations, new_task):
    tasks = [new_task(schedule_at=datetime.now(UTC) + HOUR) for _ in range(200)]
    await creations.create_tasks(tasks)
    await make_due(db)
    sweeps = await asyncio.gather(*(dues.start_due(db, 30) for _ in range(12)))
    assert max(swept.changed for swept in sweeps) <= 30
    sweeps.append(await dues.start_due(db, 200))
    started = [ready.id for swept in sweeps for ready in swept.ready]
    assert sorted(started) == sorted(task.id for task in tasks)


async def test_the_time_until_the_next_is_known(db, creations, new_task):
    assert await dues.seconds_to_next_due(db) is None
    await creations.create_tasks([new_task(), new_task(schedule_at=datetime.now(UTC) + HOUR)])
    assert 3590 < await dues.seconds_to_next_due(db) <= 3600
    await make_due(db)
    assert await dues.seconds_to_next_due(db) < 0

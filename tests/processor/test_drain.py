"""Stopping a processor: nothing lost, no attempt used up, within the grace."""

import asyncio
import time

import pytest

from taskwire_shared.domain.task import TaskState

S = TaskState


async def test_drain_lets_handlers_finish(processor, tasks, meeting):
    async with processor(grace_seconds=10) as stop:
        task_id = await tasks.create("coroutine", meeting.place())
        await meeting.sees("started-1")
        stop.set()
        meeting.say("go")

    task = await tasks.get(task_id)
    assert (task.state, task.attempt) == (S.SUCCEEDED, 1)


@pytest.mark.parametrize("type", ["coroutine", "thread", "process", "hold_gil"])
async def test_drain_hands_back_what_does_not_finish(processor, tasks, meeting, type):
    async with processor(grace_seconds=1) as stop:
        task_id = await tasks.create(type, meeting.place(seconds=60))
        await meeting.sees("started-1")
        stop.set()
        began = time.monotonic()
    took = time.monotonic() - began

    task = await tasks.get(task_id)
    assert (task.state, task.attempt, task.attempt_count) == (S.PENDING, 1, 0)
    assert took < 1 + 2


@pytest.mark.timeout(120)
async def test_drain_under_load_loses_nothing_and_uses_up_no_attempt(service, tasks, meeting, db, eventually):
    await tasks.create_many("text", 1)
    first = await service(concurrency=50, grace_seconds=2)
    waiting = [await tasks.create("coroutine", meeting.place()) for _ in range(5)]
    await meeting.sees("started-1")
    await tasks.create_many("pid", 2000)
    await eventually(lambda: db.fetchval("SELECT count(*) > 100 FROM tasks WHERE state = 4"))
    began = time.monotonic()
    exit_code = await first.stop()
    took = time.monotonic() - began
    running = await tasks.count(S.RUNNING)
    meeting.say("go")
    await service(concurrency=50)
    ended = await asyncio.gather(*(tasks.ends(task_id) for task_id in waiting))
    await eventually(lambda: db.fetchval("SELECT count(*) = 0 FROM tasks WHERE state < 4"), timeout=30)

    assert (exit_code, running) == (0, 0)
    assert took < 2 + 1
    assert {(task.state, task.attempt_count) for task in ended} == {(S.SUCCEEDED, 1)}
    assert await db.fetchval("SELECT count(*) FROM tasks WHERE attempt - excused <> 1 OR state <> 4") == 0


@pytest.mark.timeout(120)
async def test_slow_path_alone_runs_everything(processor, tasks, db, eventually):
    ids = await tasks.create_many("pid", 300, ring=False)
    # Nobody listens there.
    async with processor(nats_url="nats://127.0.0.1:9", concurrency=20):
        await tasks.create_many("pid_alone", 10, ring=False)
        await eventually(lambda: db.fetchval("SELECT count(*) = 0 FROM tasks WHERE state <> 4"), timeout=60)

    assert await tasks.count(S.SUCCEEDED) == len(ids) + 10

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import (
    ATTEMPTS_EXHAUSTED,
    EXPIRED,
    Failed,
    Fence,
    HandedBack,
    RunnerLost,
    Stopped,
    Succeeded,
)
from taskwire_shared.domain.ready import Ready
from taskwire_shared.domain.task import Failure, Payload, RetryPolicy, TaskPriority, TaskState
from taskwire_shared.store import cancels, claims, completions, dues, reaps
from taskwire_shared.store.completions import ProgressReport, Settled

S = TaskState
BOOM = Failure("BOOM", "it went wrong", {"code": "7"})
FINAL = Failure("FINAL", "it went wrong for good")


def _settled(fence, state):
    return Settled(fence, state, "default", TaskPriority.NORMAL)


async def test_a_success_keeps_its_output(db, claimed, processor, read, history):
    outputs = [
        None,
        Payload(data=b""),
        Payload(data=b"\x00\xff", content_type="image/png"),
        Payload(b"ok", is_text=True),
    ]
    fences = [await claimed() for _ in outputs]
    done = [Succeeded(fence, output) for fence, output in zip(fences, outputs, strict=True)]
    assert await completions.succeed(db, processor, done[::-1]) == frozenset(fences)
    for fence, output in zip(fences, outputs, strict=True):
        task = await read(fence.task_id)
        assert (task.state, task.output, task.finished_at) == (S.SUCCEEDED, output, task.updated_at)
        assert await history(fence.task_id) == [S.PENDING, S.RUNNING, S.SUCCEEDED]


async def test_p4_only_the_attempt_that_holds_the_task_can_end_it(db, claimed, processor, new_processor, history):
    fence = await claimed()
    stranger = await new_processor()
    stale = structs.replace(fence, attempt=fence.attempt + 1)
    assert await completions.succeed(db, stranger, [Succeeded(fence, None)]) == frozenset()
    assert await completions.succeed(db, processor, [Succeeded(stale, None)]) == frozenset()
    for outcome in (Failed(stale, BOOM), Stopped(stale), HandedBack(stale), RunnerLost(stale, BOOM)):
        assert await completions.settle(db, processor, [outcome]) == []
    assert await completions.settle(db, stranger, [HandedBack(fence)]) == []
    assert await history(fence.task_id) == [S.PENDING, S.RUNNING]


async def test_p4_a_success_after_the_task_was_taken_back_is_refused(db, claimed, processor, new_processor, history):
    fence, other = await claimed(), await claimed()
    await db.execute("UPDATE processors SET lease_until = now() WHERE id = $1", processor)
    assert (await reaps.take_back(db, 1)).changed == 1
    applied = await completions.succeed(db, processor, [Succeeded(fence, None), Succeeded(other, None)])
    assert applied == {other}
    heir = await new_processor()
    (again,) = await claims.claim_rung(db, heir, [fence.task_id], ["echo"], 1)
    assert again.attempt == 2
    assert await completions.succeed(db, processor, [Succeeded(fence, None)]) == frozenset()
    assert await completions.succeed(db, heir, [Succeeded(Fence(again.id, 2), None)]) == {Fence(again.id, 2)}
    assert await history(fence.task_id) == [S.PENDING, S.RUNNING, S.PENDING, S.RUNNING, S.SUCCEEDED]


async def test_a_failure_for_good(db, claimed, processor, read):
    fence, other = await claimed(), await claimed()
    settled = await completions.settle(db, processor, [Failed(fence, BOOM, final_failure=FINAL), Failed(other, BOOM)])
    assert sorted(settled, key=lambda one: one.fence.task_id) == [_settled(fence, S.FAILED), _settled(other, S.FAILED)]
    assert ((await read(fence.task_id)).failure, (await read(fence.task_id)).last_failure) == (FINAL, BOOM)
    assert ((await read(other.task_id)).failure, (await read(other.task_id)).last_failure) == (BOOM, BOOM)


async def test_a_retry_waits_for_its_time(db, claimed, processor, read, history):
    fence = await claimed()
    retry = Failed(fence, BOOM, retry_in_seconds=3600)
    assert await completions.settle(db, processor, [retry]) == [_settled(fence, S.SCHEDULED)]
    task = await read(fence.task_id)
    assert (task.failure, task.last_failure, task.attempt_count) == (None, BOOM, 1)
    assert task.schedule_at.timestamp() - task.updated_at == pytest.approx(3600, abs=1e-6)
    assert (await dues.start_due(db, 10)).changed == 0
    assert await history(fence.task_id) == [S.PENDING, S.RUNNING, S.SCHEDULED]


async def test_p8_a_failure_without_a_message_is_told_without_one(db, claimed, processor, read):
    fence = await claimed(retry_policy=RetryPolicy(max_attempts=1))
    await completions.settle(db, processor, [Failed(fence, Failure("BOOM"), retry_in_seconds=1)])
    assert (await read(fence.task_id)).failure.message == "1 attempt failed, with BOOM"


async def test_p8_a_retry_past_the_attempts_fails(db, claimed, processor, read):
    fence = await claimed(retry_policy=RetryPolicy(max_attempts=1))
    settled = await completions.settle(db, processor, [Failed(fence, BOOM, retry_in_seconds=1)])
    assert settled == [_settled(fence, S.FAILED)]
    assert settled[0].ready is None
    task = await read(fence.task_id)
    assert task.last_failure == BOOM
    assert task.failure == Failure(
        ATTEMPTS_EXHAUSTED,
        "1 attempt failed, with BOOM: it went wrong",
        {"attempts": "1", "last_reason": "BOOM"},
    )


async def test_a_retry_past_the_expiry_fails(db, claimed, processor, read):
    fence = await claimed(expire_at=datetime.now(UTC) + timedelta(minutes=1))
    settled = await completions.settle(db, processor, [Failed(fence, BOOM, retry_in_seconds=61)])
    assert settled == [_settled(fence, S.FAILED)]
    task = await read(fence.task_id)
    assert (task.failure.reason, task.last_failure) == (EXPIRED, BOOM)


async def test_what_is_handed_back_is_excused(db, claimed, processor, read, history):
    fence, stopped = await claimed(retry_policy=RetryPolicy(max_attempts=1)), await claimed()
    settled = await completions.settle(db, processor, [HandedBack(fence), Stopped(stopped)])
    assert {one.state for one in settled} == {S.PENDING}
    assert {one.ready for one in settled} == {
        Ready(one.task_id, "default", TaskPriority.NORMAL) for one in (fence, stopped)
    }
    for one in (fence, stopped):
        task = await read(one.task_id)
        assert (task.attempt, task.excused, task.attempt_count, task.last_failure) == (1, 1, 0, None)
        assert await history(one.task_id) == [S.PENDING, S.RUNNING, S.PENDING]
    (again,) = await claims.claim_rung(db, processor, [fence.task_id], ["echo"], 1)
    assert (again.attempt, again.attempt_count) == (2, 1)


async def test_p8_a_lost_runner_uses_up_an_attempt_and_the_next_runs_alone(db, claimed, processor, read, history):
    fence = await claimed(retry_policy=RetryPolicy(max_attempts=2))
    lost = Failure("WORKER_LOST", "the runner died", {"exit_code": "-9"})
    assert await completions.settle(db, processor, [RunnerLost(fence, lost)]) == [_settled(fence, S.PENDING)]
    (again,) = await claims.claim_rung(db, processor, [fence.task_id], ["echo"], 1)
    assert (again.attempt_count, again.runs_alone) == (2, True)
    second = Fence(again.id, again.attempt)
    assert await completions.settle(db, processor, [RunnerLost(second, lost)]) == [_settled(second, S.FAILED)]
    task = await read(fence.task_id)
    assert task.failure.reason == ATTEMPTS_EXHAUSTED
    assert task.failure.message == "2 attempts failed, the last one with WORKER_LOST: the runner died"
    assert task.last_failure.metadata == {"exit_code": "-9", "runner": "died"}


@pytest.mark.parametrize(
    "outcome",
    [
        lambda fence: Failed(fence, BOOM, final_failure=FINAL),
        lambda fence: Failed(fence, BOOM, retry_in_seconds=1.0),
        Stopped,
        HandedBack,
        lambda fence: RunnerLost(fence, BOOM),
    ],
)
async def test_p7_where_cancellation_was_asked_for_nothing_is_repeated(db, claimed, processor, read, history, outcome):
    fence = await claimed()
    await cancels.cancel(db, "default", fence.task_id, "enough")
    assert await completions.settle(db, processor, [outcome(fence)]) == [_settled(fence, S.CANCELLED)]
    task = await read(fence.task_id)
    assert (task.failure, task.excused, task.finished_at) == (None, 0, task.updated_at)
    assert await history(fence.task_id) == [S.PENDING, S.RUNNING, S.RUNNING, S.CANCELLED]


async def test_p7_a_success_before_the_handler_notices_stays(db, claimed, processor, history):
    fence = await claimed()
    await cancels.cancel(db, "default", fence.task_id, "")
    assert await completions.succeed(db, processor, [Succeeded(fence, None)]) == {fence}
    assert await history(fence.task_id) == [S.PENDING, S.RUNNING, S.RUNNING, S.SUCCEEDED]


async def test_what_jsonb_cannot_hold_is_replaced(db, claimed, processor, read):
    fence, other = await claimed(), await claimed()
    bad = Failure("BAD", "nul \0 and \ud800", {"k\0": "\udfff"})
    settled = await completions.settle(db, processor, [Failed(fence, bad), Failed(other, BOOM)])
    assert len(settled) == 2
    assert (await read(fence.task_id)).failure == Failure("BAD", "nul \ufffd and ?", {"k\ufffd": "?"})


async def test_a_long_message_still_fits_when_the_attempts_are_used_up(db, claimed, processor, read):
    fence = await claimed(retry_policy=RetryPolicy(max_attempts=1))
    await completions.settle(db, processor, [Failed(fence, Failure("LONG", "é" * 1024), retry_in_seconds=1)])
    assert len((await read(fence.task_id)).failure.message) == 1024


async def test_progress_is_kept_without_a_version(db, claimed, processor, read, history):
    fence, done = await claimed(), await claimed()
    await completions.succeed(db, processor, [Succeeded(done, None)])
    reports = [ProgressReport(0.25, "a quarter\0", fence), ProgressReport(0.5, "late", done)]
    await completions.report_progress(db, processor, reports)
    task = await read(fence.task_id)
    assert (task.progress.fraction, task.progress.message, task.version) == (0.25, "a quarter\ufffd", 2)
    assert (await read(done.task_id)).progress is None


async def test_what_has_ended_can_be_read_when_a_commit_is_unknown(db, claimed, processor):
    running, done, back = await claimed(), await claimed(), await claimed()
    await completions.succeed(db, processor, [Succeeded(done, None)])
    await completions.settle(db, processor, [HandedBack(back)])
    await claims.claim_rung(db, processor, [back.task_id], ["echo"], 1)
    fences = [running, done, back, Fence(new_id(), 1)]
    assert await completions.ended(db, processor, fences) == {done: S.SUCCEEDED, back: S.PENDING}
    assert await completions.ended(db, new_id(), fences) == {}


async def test_a_row_that_somebody_holds_is_waited_for(db, claimed, processor):
    fence = await claimed()
    locked, release = asyncio.Event(), asyncio.Event()

    async def hold(connection):
        async with connection.transaction():
            await connection.execute("SELECT FROM tasks WHERE id = $1 FOR UPDATE", fence.task_id)
            locked.set()
            await release.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(db.run(hold))
        await locked.wait()
        success = group.create_task(completions.succeed(db, processor, [Succeeded(fence, None)]))
        while not await db.fetchval("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')"):
            assert not success.done()
        release.set()
    assert success.result() == {fence}

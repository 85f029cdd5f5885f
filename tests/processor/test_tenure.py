"""Every kind of handler, and every way in which an attempt ends."""

import signal
from datetime import UTC, datetime, timedelta

import pytest

from taskwire_shared.domain.task import TaskPriority, TaskState

S = TaskState


async def test_every_kind_of_handler(processor, tasks, meeting):
    meeting.say("go")
    async with processor():
        ids = {kind: await tasks.create(kind, meeting.place()) for kind in ("coroutine", "thread", "process")}
        ended = {kind: await tasks.ends(task_id) for kind, task_id in ids.items()}

    assert {kind: task.state for kind, task in ended.items()} == dict.fromkeys(ids, S.SUCCEEDED)
    assert {kind: task.output.data for kind, task in ended.items()} == {
        "coroutine": b"attempt 1",
        "thread": b"late",
        "process": b"late",
    }
    assert await tasks.history(ids["thread"]) == [S.PENDING, S.RUNNING, S.SUCCEEDED]


async def test_process_handlers_run_apart_in_processes_that_are_used_again(processor, tasks):
    async with processor():
        shared = await tasks.ends(await tasks.create("pid"))
        alone = [await tasks.ends(await tasks.create("pid_alone")) for _ in range(2)]

    assert alone[0].output.data == alone[1].output.data
    assert alone[0].output.data != shared.output.data


@pytest.mark.parametrize(
    ("type", "given", "reason"),
    [
        ("fail", False, "ON_PURPOSE"),
        ("text", 5, "INVALID_INPUT"),
        ("coroutine", {"folder": 7}, "INVALID_INPUT"),
        ("return", "nan", "RESULT_INVALID"),
        ("return", "huge", "RESULT_INVALID"),
        ("return", "surrogate", "RESULT_INVALID"),
        ("return", "object", "RESULT_INVALID"),
    ],
)
async def test_permanent_failure_is_not_retried(processor, tasks, type, given, reason):
    if type == "text":
        given = b"\xff"
    if type == "return":
        given = given.encode()
    async with processor():
        task = await tasks.ends(await tasks.create(type, given))

    assert (task.state, task.failure.reason, task.attempt_count) == (S.FAILED, reason, 1)
    assert task.last_failure == task.failure


@pytest.mark.parametrize(
    ("type", "given", "reason"),
    [
        ("fail", True, "ON_PURPOSE"),
        ("raise", None, "UNHANDLED_EXCEPTION"),
        ("system_exit", None, "UNHANDLED_EXCEPTION"),
        ("cancel_itself", None, "UNHANDLED_EXCEPTION"),
    ],
)
async def test_p8_retries_end_when_the_attempts_are_used_up(processor, tasks, type, given, reason):
    async with processor():
        task_id = await tasks.create(type, given, retry={"max_attempts": 2})
        task = await tasks.ends(task_id)

    assert (task.state, task.failure.reason, task.attempt_count) == (S.FAILED, "ATTEMPTS_EXHAUSTED", 2)
    assert task.failure.metadata["last_reason"] == reason
    assert task.last_failure.reason == reason
    assert await tasks.history(task_id) == [
        S.PENDING, S.RUNNING, S.SCHEDULED, S.PENDING, S.RUNNING, S.FAILED
    ]  # fmt: skip


@pytest.mark.parametrize("type", ["coroutine", "polite_thread"])
async def test_attempt_timeout_stops_the_handler(processor, tasks, meeting, type):
    async with processor():
        task_id = await tasks.create(type, meeting.place(), retry={"attempt_timeout_ms": 200, "max_attempts": 1})
        task = await tasks.ends(task_id)

    assert (task.state, task.failure.reason) == (S.FAILED, "ATTEMPTS_EXHAUSTED")
    assert task.last_failure.reason == "ATTEMPT_TIMED_OUT"


async def test_attempt_timeout_ends_the_process_of_a_handler_that_goes_on(processor, tasks, meeting):
    async with processor(cancel_grace_seconds=0.3):
        innocent = await tasks.create("coroutine", {**meeting.place(), "folder": str(meeting.folder)})
        await meeting.sees("started-1")
        task_id = await tasks.create(
            "hold_gil", meeting.place(seconds=30), retry={"attempt_timeout_ms": 200, "max_attempts": 1}
        )
        task = await tasks.ends(task_id)
        meeting.say("go")
        other = await tasks.ends(innocent)

    assert task.last_failure.reason == "ATTEMPT_TIMED_OUT"
    assert (other.state, other.attempt, other.attempt_count) == (S.SUCCEEDED, 2, 1)


async def test_expired_is_not_started(processor, tasks):
    task_id = await tasks.create("pid", expire_at=datetime.now(UTC) - timedelta(seconds=1), ring=False)
    async with processor():
        await tasks.ends(await tasks.create("pid"))
        task = await tasks.ends(task_id)

    assert (task.failure.reason, task.attempt) == ("EXPIRED", 0)


async def test_higher_priority_goes_first(processor, tasks, meeting):
    low = [await tasks.create("pid", priority=TaskPriority.LOW) for _ in range(20)]
    high = [await tasks.create("pid", priority=TaskPriority.HIGH) for _ in range(20)]
    async with processor(concurrency=1):
        started_low = [(await tasks.ends(one)).started_at for one in low]
        started_high = [(await tasks.ends(one)).started_at for one in high]

    # What was heard before the first high one was is run before it.
    assert sum(moment < max(started_high) for moment in started_low) <= 5


async def test_progress_is_stored_without_a_version(processor, tasks, meeting, eventually):
    async with processor():
        task_id = await tasks.create("progress", meeting.place())

        async def is_half_done():
            progress = (await tasks.get(task_id)).progress
            return progress is not None and progress.message == "half"

        await eventually(is_half_done)
        before = await tasks.get(task_id)
        meeting.say("go")
        task = await tasks.ends(task_id)

    assert (before.version, before.progress.fraction) == (2, 0.5)
    assert task.version == 3


async def test_unserved_types_and_queues_are_left_alone(processor, tasks):
    other_type = await tasks.create("nobody")
    other_queue = await tasks.create("pid", queue="elsewhere")
    async with processor(queues=("default",)):
        await tasks.ends(await tasks.create("pid"))

    assert (await tasks.get(other_type)).state is S.PENDING
    assert (await tasks.get(other_queue)).state is S.PENDING


async def test_p7_coroutine_is_told_at_once(processor, tasks, meeting, bus, cancel):
    async with processor():
        task_id = await tasks.create("coroutine", meeting.place())
        await meeting.sees("started-1")
        await cancel(task_id)
        await meeting.sees("told", timeout=1.0)
        task = await tasks.ends(task_id)

    assert task.state is S.CANCELLED
    assert await tasks.history(task_id) == [S.PENDING, S.RUNNING, S.RUNNING, S.CANCELLED]


async def test_p7_coroutine_is_told_with_the_renewal_when_the_notice_is_lost(processor, tasks, meeting, cancel):
    async with processor(lease_seconds=2):
        task_id = await tasks.create("coroutine", meeting.place())
        await meeting.sees("started-1")
        await cancel(task_id, notice=False)
        task = await tasks.ends(task_id, timeout=5.0)

    assert task.state is S.CANCELLED


async def test_p7_success_before_the_handler_notices_stays(processor, tasks, meeting, cancel):
    async with processor():
        task_id = await tasks.create("stubborn_coroutine", meeting.place())
        await meeting.sees("started-1")
        await cancel(task_id)
        task = await tasks.ends(task_id)

    assert (task.state, task.output.data) == (S.SUCCEEDED, b"finished")


@pytest.mark.parametrize("type", ["thread", "process", "hold_gil"])
async def test_p7_handler_that_ignores_it_is_ended_after_the_grace(processor, tasks, meeting, cancel, type):
    async with processor(cancel_grace_seconds=0.5, concurrency=1):
        task_id = await tasks.create(type, meeting.place(seconds=30))
        await meeting.sees("started-1")
        await cancel(task_id)
        task = await tasks.ends(task_id, timeout=5.0)
        next_one = await tasks.ends(await tasks.create("pid"))

    assert task.state is S.CANCELLED
    assert await tasks.history(task_id) == [S.PENDING, S.RUNNING, S.RUNNING, S.CANCELLED]
    assert next_one.state is S.SUCCEEDED, "the slot is usable again"


async def test_p7_polite_thread_is_not_ended_by_force(processor, tasks, meeting, cancel):
    async with processor(cancel_grace_seconds=30):
        before = await tasks.ends(await tasks.create("pid"))
        task_id = await tasks.create("polite_thread", meeting.place())
        await meeting.sees("started-1")
        await cancel(task_id)
        task = await tasks.ends(task_id)
        after = await tasks.ends(await tasks.create("pid"))

    assert task.state is S.CANCELLED
    assert before.output == after.output


@pytest.mark.parametrize("type", ["exit", "kill"])
async def test_p8_runner_that_dies_is_noticed_and_poison_contained(processor, tasks, meeting, type, eventually):
    async with processor():
        innocent = await tasks.create("coroutine", meeting.place())
        await meeting.sees("started-1")
        poison = await tasks.create(type, retry={"max_attempts": 2})
        task = await tasks.ends(poison, timeout=10)
        meeting.say("go")
        other = await tasks.ends(innocent)

    assert (task.state, task.attempt_count) == (S.FAILED, 2)
    assert (task.failure.reason, task.last_failure.reason) == ("ATTEMPTS_EXHAUSTED", "WORKER_LOST")
    assert await tasks.history(poison) == [S.PENDING, S.RUNNING, S.PENDING, S.RUNNING, S.FAILED]
    # It lost the attempt that it made beside the poison, and no other.
    assert (other.state, other.attempt) == (S.SUCCEEDED, 2)


async def test_p8_death_of_a_runner_is_noticed_within_2_seconds(processor, tasks):
    async with processor():
        task_id = await tasks.create("kill", retry={"max_attempts": 1})
        task = await tasks.ends(task_id)

    assert task.finished_at - task.started_at < 2
    assert f"signal {int(signal.SIGKILL)}" in task.last_failure.message


async def test_innocents_beside_a_stopped_handler_are_excused(processor, tasks, meeting, cancel):
    async with processor(cancel_grace_seconds=0.3):
        innocent = await tasks.create("coroutine", meeting.place())
        await meeting.sees("started-1")
        (meeting.folder / "other").mkdir()
        culprit = await tasks.create("thread", meeting.place(folder=str(meeting.folder / "other")))
        await meeting.sees("other/started-1")
        await cancel(culprit)
        stopped = await tasks.ends(culprit)
        meeting.say("go")
        other = await tasks.ends(innocent)

    assert stopped.state is S.CANCELLED
    assert (other.state, other.attempt, other.attempt_count) == (S.SUCCEEDED, 2, 1)

"""The lease: renewed while control lives, lost when it does not, and squared with the database."""

import os
import signal
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from unittest.mock import AsyncMock, Mock
from uuid import UUID

import psutil
import pytest

from taskwire_processor import leaseholder
from taskwire_processor.held import StopReason
from taskwire_processor.leaseholder import Leaseholder
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import Fence
from taskwire_shared.domain.task import TaskState
from taskwire_shared.store import claims, processors, reaps

S = TaskState
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
LEASE_SECONDS = 1.0


async def test_handler_that_holds_the_gil_for_three_leases_keeps_its_task(processor, tasks, meeting):
    async with processor(lease_seconds=LEASE_SECONDS):
        task_id = await tasks.create("hold_gil", meeting.place(seconds=3 * LEASE_SECONDS))
        task = await tasks.ends(task_id)

    assert (task.state, task.attempt) == (S.SUCCEEDED, 1)
    assert await tasks.history(task_id) == [S.PENDING, S.RUNNING, S.SUCCEEDED]


async def test_p4_p5_stuck_control_loses_its_task_and_its_late_result_is_refused(service, tasks, meeting, eventually):
    stuck = await service(lease_seconds=LEASE_SECONDS)
    task_id = await tasks.create("coroutine", meeting.place())
    await meeting.sees("started-1")
    stuck.freeze()
    other = await service(lease_seconds=LEASE_SECONDS)
    await meeting.sees("started-2")
    # The runner of the stuck one goes on, and both handlers finish; the first result arrives when control is awake.
    meeting.say("go")
    task = await tasks.ends(task_id)
    stuck.thaw()
    await eventually(lambda: "lease.lost" in stuck.log.read_text(), what="the loss noticed")
    again = await tasks.ends(await tasks.create("pid"))

    assert (task.state, task.attempt, task.output.data) == (S.SUCCEEDED, 2, b"attempt 2")
    assert str(task.processor) == other.ready.id
    assert await tasks.get(task_id) == task
    assert await tasks.history(task_id) == [S.PENDING, S.RUNNING, S.PENDING, S.RUNNING, S.SUCCEEDED]
    assert again.state is S.SUCCEEDED


async def test_processor_that_lost_its_lease_goes_on_under_another_id(service, tasks, db, meeting, eventually):
    only = await service(lease_seconds=LEASE_SECONDS)
    task_id = await tasks.create("coroutine", meeting.place())
    await meeting.sees("started-1")
    only.freeze()
    await eventually(lambda: db.fetchval("SELECT lease_until < clock_timestamp() FROM processors"))
    only.thaw()
    await meeting.sees("started-2")
    meeting.say("go")
    task = await tasks.ends(task_id)

    assert task.state is S.SUCCEEDED
    assert str(task.processor) != only.ready.id


async def test_p5_killed_processor_loses_its_tasks_and_runners(service, tasks, meeting, eventually):
    killed = await service(lease_seconds=LEASE_SECONDS)
    runners = psutil.Process(killed.child.pid).children(recursive=True)
    task_id = await tasks.create("hold_gil", meeting.place(seconds=60))
    await meeting.sees("started-1")
    os.kill(killed.child.pid, signal.SIGKILL)
    await eventually(lambda: not any(psutil.pid_exists(runner.pid) for runner in runners), what="runners gone")
    await service(lease_seconds=LEASE_SECONDS)
    await meeting.sees("started-2", timeout=LEASE_SECONDS + 5)
    before = await tasks.history(task_id)

    assert before == [S.PENDING, S.RUNNING, S.PENDING, S.RUNNING]


@pytest.fixture
def impatient(monkeypatch):
    """Search for what is held without knowing at once, and count it."""
    searches: list[UUID] = []
    original = processors.holdings

    async def holdings(db, processor):
        searches.append(processor)
        return await original(db, processor)

    monkeypatch.setattr(leaseholder, "UNKNOWN_AFTER", timedelta(seconds=0.2))
    monkeypatch.setattr(leaseholder, "SEARCHES_AFTER_SECONDS", (0.1, 0.3))
    monkeypatch.setattr(processors, "holdings", holdings)
    return searches


async def test_p5_claim_whose_reply_was_lost_goes_back(processor, tasks, db, monkeypatch, eventually, impatient):
    original, lost = claims.claim_rung, []

    async def lose_one_reply(*args):
        claimed = await original(*args)
        if claimed and not lost:
            lost.extend(claimed)
            raise BackendUnavailable
        return claimed

    async with processor(lease_seconds=LEASE_SECONDS):
        await tasks.ends(await tasks.create("pid"))
        monkeypatch.setattr(claims, "claim_rung", lose_one_reply)
        task = await tasks.ends(await tasks.create("pid"))
        await eventually(lambda: len(impatient) >= 2)

    assert [one.id for one in lost] == [task.id]
    assert await tasks.history(task.id) == [S.PENDING, S.RUNNING, S.PENDING, S.RUNNING, S.SUCCEEDED]
    assert await db.fetchval("SELECT excused FROM task_events WHERE task_id = $1 AND version = 3", task.id) == 1


async def test_p5_claim_that_nobody_knows_the_cause_of_goes_back_and_is_rung(
    processor, tasks, db, monkeypatch, impatient
):
    async def find_nothing(*_, **__):
        return []

    monkeypatch.setattr(leaseholder, "SEARCH_SECONDS", 0.5)
    async with processor(lease_seconds=LEASE_SECONDS):
        await tasks.ends(await tasks.create("pid"))
        monkeypatch.setattr(claims, "claim_waiting", find_nothing)
        task_id = await tasks.create("pid", ring=False, id=new_id())
        holder = await db.fetchval("SELECT id FROM processors")
        claimed = await claims.claim_rung(db, holder, [task_id], ["pid"], 1)
        task = await tasks.ends(task_id)

    assert len(claimed) == 1
    assert (task.state, task.attempt, task.excused) == (S.SUCCEEDED, 2, 1)


async def test_search_that_the_database_does_not_answer_is_repeated(processor, monkeypatch, eventually, impatient):
    searches = processors.holdings
    failures = []

    async def fail_once(*args):
        if not failures:
            failures.append(args)
            raise BackendUnavailable
        return await searches(*args)

    monkeypatch.setattr(leaseholder, "SEARCH_SECONDS", 0.1)
    monkeypatch.setattr(processors, "holdings", fail_once)
    async with processor(lease_seconds=LEASE_SECONDS):
        await eventually(lambda: impatient)

    assert failures


async def test_nothing_is_searched_for_while_every_claim_is_answered(processor, tasks, impatient):
    async with processor(lease_seconds=LEASE_SECONDS):
        for _ in range(5):
            await tasks.ends(await tasks.create("pid"))
        before = list(impatient)

    assert before == []
    # The last search is the one before it signs off.
    assert len(impatient) == 1


async def test_task_that_was_taken_away_is_stopped(processor, tasks, db, meeting, eventually):
    async with processor(lease_seconds=LEASE_SECONDS):
        task_id = await tasks.create("coroutine", meeting.place())
        await meeting.sees("started-1")
        await db.execute("UPDATE tasks SET processor = $2 WHERE id = $1", task_id, new_id())
        await meeting.sees("told")

    assert (await tasks.get(task_id)).state in {S.RUNNING, S.PENDING}


async def test_outage_of_the_database_does_not_end_the_processor(processor, tasks, db, meeting):
    async with processor(lease_seconds=20):
        task_id = await tasks.create("coroutine", meeting.place())
        await meeting.sees("started-1")
        await db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'taskwire processor' AND datname = current_database()"
        )
        meeting.say("go")
        task = await tasks.ends(task_id)

    assert (task.state, task.attempt) == (S.SUCCEEDED, 1)


async def test_processor_signs_off(processor, tasks, db):
    async with processor():
        registered = await db.fetchrow("SELECT * FROM processors")
        assert "pid" in registered["types"]
        assert registered["queues"] is None
        assert await processors.renew(db, registered["id"], 30)

    assert await db.fetchval("SELECT count(*) FROM processors") == 0


def _leaseholder(world, *, renewals=(), unstored=()):
    """Return one whose lease is renewed so often, beside a completer that has still to store the outcomes of these."""
    lease = SimpleNamespace(
        processor=SimpleNamespace(id=new_id()), pause_seconds=0, renew=AsyncMock(side_effect=[*renewals, False])
    )
    completer = SimpleNamespace(unstored=lambda: set(unstored))
    return Leaseholder(
        None,
        lease,
        attempts=world.attempts,
        completer=completer,
        stopper=world.stopper,
        canceller=world.canceller,
        ringer=Mock(),
        bell=Mock(),
    )


async def test_p4_what_has_ended_and_is_not_stored_yet_is_not_handed_back(world, monkeypatch):
    running, ended, unknown = world.hold().fence, Fence(new_id(), 1), Fence(new_id(), 1)
    held = [SimpleNamespace(task_id=one.task_id, attempt=1, started_at=MOMENT) for one in (running, ended, unknown)]
    hand_back = AsyncMock(return_value=[])
    monkeypatch.setattr(processors, "holdings", AsyncMock(return_value=SimpleNamespace(held=held, now=MOMENT)))
    monkeypatch.setattr(reaps, "hand_back_unknown", hand_back)
    await _leaseholder(world, unstored=[ended]).hand_back_unknown()

    assert hand_back.await_args.args[2] == [unknown]


async def test_p4_what_is_claimed_while_the_database_is_asked_is_not_lost(world, monkeypatch):
    before, claimed = world.hold(), []

    async def answer(*_):
        claimed.append(world.hold())
        return []

    monkeypatch.setattr(processors, "held", answer)
    await _leaseholder(world, renewals=[True]).hold()

    assert before.stop is StopReason.LOST
    assert [one.stop for one in claimed] == [None]

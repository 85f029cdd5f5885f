import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_migrations.migrate import upgrade
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.task import NewTask, TaskState
from taskwire_shared.store.claims import claim_rung
from taskwire_shared.store.creations import Creations
from taskwire_shared.store.database import Database
from taskwire_shared.store.partitions import ensure_partitions
from taskwire_shared.store.processors import Processor, deregister, register
from taskwire_shared.store.reads import get_task
from taskwire_shared.upkeep import sweeper as sweeping
from taskwire_shared.upkeep.rounds import SPACED_SECONDS_MAX
from taskwire_shared.upkeep.sweeper import Sweeper, calm_seconds_of


class RecordingRinger:
    def __init__(self):
        self.rung = []

    def ring(self, ready):
        self.rung += [one.id for one in ready]


class RecordingBell:
    def __init__(self):
        self.strikes = 0

    def strike(self):
        self.strikes += 1


@asynccontextmanager
async def sweeping_over(db, *, calm_seconds=0.0):
    ringer, bell = RecordingRinger(), RecordingBell()
    task = asyncio.create_task(Sweeper(db, ringer, bell, calm_seconds=calm_seconds).run())
    try:
        yield ringer, bell
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


async def create(db, count=1, **given):
    usual = {"tenant": "default", "queue": "mail", "type": "send", "request_hash": bytes(16)}
    tasks = [NewTask(**({"id": new_id()} | usual | given)) for _ in range(count)]
    await Creations(db).create_tasks(tasks)
    return [task.id for task in tasks]


async def claim(db, ids, *, lease_seconds=60.0):
    identifier = uuid4()
    processor = Processor(id=identifier, queues=None, types=["send"], concurrency=10, host="here")
    await register(db, processor, lease_seconds)
    assert len(await claim_rung(db, identifier, ids, ["send"], len(ids))) == len(ids)
    return identifier


async def state_of(db, identifier):
    return (await get_task(db, "default", identifier, full=False)).state


def test_the_living_get_to_renew_three_times_before_anybody_is_taken_for_dead():
    assert calm_seconds_of(30) == 9


async def test_a_scheduled_task_is_rung_when_it_is_due(db, eventually):
    due_at = datetime.now(UTC) + timedelta(seconds=0.5)
    [identifier] = await create(db, schedule_at=due_at)
    async with sweeping_over(db) as (ringer, bell):
        await eventually(lambda: ringer.rung)
        late = await db.fetchval("SELECT clock_timestamp()") - due_at
    assert ringer.rung == [identifier]
    assert bell.strikes == 1
    assert await state_of(db, identifier) is TaskState.PENDING
    assert timedelta(0) <= late < timedelta(seconds=2)


async def test_an_expired_task_fails_without_a_ring(db, eventually):
    [identifier] = await create(db, expire_at=datetime.now(UTC))
    async with sweeping_over(db) as (ringer, bell):
        await eventually(lambda: bell.strikes)
    assert ringer.rung == []
    assert await state_of(db, identifier) is TaskState.FAILED


async def test_many_due_tasks_are_done_in_batches(db, eventually, monkeypatch):
    monkeypatch.setattr(sweeping, "BATCH_TASKS", 10)
    ids = await create(db, 95, schedule_at=datetime.now(UTC) + timedelta(seconds=1))
    async with sweeping_over(db) as (one, _), sweeping_over(db) as (other, _):
        await eventually(lambda: len(one.rung) + len(other.rung) == 95)
    assert sorted(one.rung + other.rung) == sorted(ids)


async def test_p5_tasks_of_a_dead_processor_are_taken_back(db, eventually):
    ids = await create(db, 3)
    processor = await claim(db, ids)
    async with sweeping_over(db) as (ringer, bell):
        await eventually(lambda: bell.strikes == 0)
        await deregister(db, processor)
        await eventually(lambda: len(ringer.rung) == 3)
    assert sorted(ringer.rung) == sorted(ids)
    assert await state_of(db, ids[0]) is TaskState.PENDING


async def test_a_living_processor_keeps_its_tasks(db, eventually):
    [held] = await create(db)
    await claim(db, [held])
    [lost] = await create(db)
    await deregister(db, await claim(db, [lost]))
    async with sweeping_over(db) as (ringer, _):
        await eventually(lambda: ringer.rung)
    assert ringer.rung == [lost]
    assert await state_of(db, held) is TaskState.RUNNING


async def test_nobody_is_taken_for_dead_before_it_is_calm(db):
    [lost] = await create(db)
    await deregister(db, await claim(db, [lost]))
    ringer, bell = RecordingRinger(), RecordingBell()
    waiting = Sweeper(db, ringer, bell, calm_seconds=60)
    pause = await waiting.sweep_lost()
    assert 50 < pause <= 60
    assert ringer.rung == []
    waiting._calm_since -= 60
    await waiting.sweep_lost()
    assert ringer.rung == [lost]


async def test_a_slow_answer_starts_the_wait_anew(db, monkeypatch):
    [lost] = await create(db)
    await deregister(db, await claim(db, [lost]))
    monkeypatch.setattr(sweeping, "ANSWER_SECONDS_MAX", 0.0)
    ringer = RecordingRinger()
    waiting = Sweeper(db, ringer, RecordingBell(), calm_seconds=60)
    waiting._calm_since -= 60
    assert await waiting.sweep_lost() > 50
    assert ringer.rung == []


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only where a test lets it."""

    class Clock:
        now = 1000.0

        def __call__(self):
            return self.now

        def slow(self, name, seconds):
            original = getattr(sweeping, name)

            async def ask(*args):
                self.now += seconds
                return await original(*args)

            monkeypatch.setattr(sweeping, name, ask)

    clock = Clock()
    monkeypatch.setattr(sweeping, "monotonic", clock)
    return clock


async def test_p5_a_search_that_takes_long_is_no_outage(db, clock):
    """With a million dead entries in an index it takes a second, for as long as somebody's transaction is open."""
    [lost] = await create(db)
    await deregister(db, await claim(db, [lost]))
    clock.slow("start_due", 2 * sweeping.ANSWER_SECONDS_MAX)
    clock.slow("take_back", 2 * sweeping.ANSWER_SECONDS_MAX)
    ringer = RecordingRinger()
    waiting = Sweeper(db, ringer, RecordingBell(), calm_seconds=60)
    clock.now += 60

    usual = [await waiting.sweep_due(), await waiting.sweep_lost()]
    await waiting.sweep_lost()
    longer = [await waiting.sweep_due(), await waiting.sweep_lost()]

    assert ringer.rung == [lost]
    assert max(usual) <= sweeping.TAKE_BACK_SECONDS
    assert longer == [SPACED_SECONDS_MAX] * 2


@pytest.mark.slow
async def test_it_waits_out_an_outage(tmp_path, eventually):
    async with EmbeddedPostgres(tmp_path) as server:
        url = server.url("postgres")
        await upgrade(url)
        async with Database.open(url) as db:
            await ensure_partitions(db)
            async with sweeping_over(db, calm_seconds=0.5) as (ringer, _):
                await server.stop()
                await server.start()
                [due] = await create(db, schedule_at=datetime.now(UTC) + timedelta(seconds=2))
                await eventually(lambda: ringer.rung == [due])

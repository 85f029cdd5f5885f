import asyncio
import random

import asyncpg
import pytest
from structlog.testing import capture_logs

from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.domain.outcome import Failed, HandedBack, Stopped, Succeeded
from taskwire_shared.domain.task import Failure
from taskwire_shared.store import cancels, claims, completions, database, reaps
from taskwire_shared.store.database import Database


async def test_a_unit_ends_though_its_caller_is_cancelled(db):
    started, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def unit(connection):
        started.set()
        await go_on.wait()
        await connection.execute("CREATE TABLE left_behind ()")
        ended.set()

    caller = asyncio.create_task(db.run(unit))
    await started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    await ended.wait()
    assert await db.fetchval("SELECT to_regclass('left_behind') IS NOT NULL")


async def test_closing_waits_for_units(database_url):
    go_on, ended = asyncio.Event(), asyncio.Event()

    async def unit(connection):
        await go_on.wait()
        await connection.execute("SELECT 1")
        ended.set()

    async with Database.open(database_url, pool_size=2) as db:
        caller = asyncio.create_task(db.run(unit))
        await db.fetchval("SELECT 1")
        caller.cancel()
        asyncio.get_running_loop().call_soon(go_on.set)
    assert ended.is_set()


async def test_no_unit_keeps_its_connection(database_url):
    async with Database.open(database_url, pool_size=1) as db:
        for _ in range(5):
            with pytest.raises(asyncpg.DivisionByZeroError):
                await db.fetchval("SELECT 1 / 0")
            caller = asyncio.create_task(db.fetchval("SELECT 1"))
            await asyncio.sleep(0)
            caller.cancel()
        assert await db.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("error", [asyncpg.DeadlockDetectedError, asyncpg.SerializationError])
async def test_conflicts_are_tried_again(db, monkeypatch, error):
    monkeypatch.setattr(database, "RETRY_PAUSE_SECONDS", 0)
    tries = []

    async def unit(connection):
        tries.append(connection)
        if len(tries) <= failures:
            raise error("lost")
        return "won"

    failures = database.RETRIES_MAX
    assert await db.run(unit) == "won"
    tries.clear()
    failures = database.RETRIES_MAX + 1
    with pytest.raises(BackendUnavailable) as caught:
        await db.run(unit)
    assert isinstance(caught.value.__cause__, error)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(1)",
    ],
)
async def test_a_server_that_cuts_us_off_is_unavailable(db, statement):
    with pytest.raises(BackendUnavailable) as caught:
        await db.fetchval(statement)
    assert caught.value.__cause__ is not None
    assert await db.fetchval("SELECT 1") == 1


async def test_a_unit_that_tidies_up_after_it_was_cut_off_is_unavailable(db):
    async def unit(connection):
        try:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        finally:
            await connection.execute("RESET ALL")

    with pytest.raises(BackendUnavailable):
        await db.run(unit)


async def test_a_server_that_is_not_there_is_unavailable():
    with pytest.raises(BackendUnavailable):
        async with Database.open("postgresql://nobody@127.0.0.1:1/nothing", connect_timeout=0.01):
            pass


async def test_a_start_without_the_server_says_once_what_it_waits_for(monkeypatch):
    monkeypatch.setattr(database, "CONNECT_PAUSE_SECONDS", 0.001)
    with capture_logs() as lines, pytest.raises(BackendUnavailable):
        async with Database.open("postgresql://nobody:s3cret@127.0.0.1:1/nothing", connect_timeout=0.2):
            pass
    assert [(line["event"], line["log_level"]) for line in lines] == [("database.unreachable", "warning")]
    assert lines[0]["error"].startswith("ConnectionRefusedError: ")
    assert "s3cret" not in lines[0]["error"]


async def test_an_exhausted_pool_is_unavailable(database_url, monkeypatch):
    monkeypatch.setattr(database, "ACQUIRE_SECONDS", 0.05)
    async with Database.open(database_url, pool_size=1) as db:

        async def unit(connection):
            with pytest.raises(BackendUnavailable):
                await db.fetchval("SELECT 1")

        await db.run(unit)


async def test_a_fault_of_ours_is_not_an_outage(db):
    with pytest.raises(asyncpg.InterfaceError):
        await db.fetchval("SELECT 1", "one too many")
    with pytest.raises(asyncpg.DataError):
        await db.fetchval("SELECT $1::integer", "x")
    with pytest.raises(asyncpg.UndefinedTableError):
        await db.fetchval("SELECT FROM nowhere")


async def test_sessions_are_set_up(db):
    assert await db.fetchval("SHOW enable_seqscan") == "off"
    assert await db.fetchval("SHOW jit") == "off"
    assert await db.fetchval("SHOW max_parallel_workers_per_gather") == "0"
    assert await db.fetchval("SHOW application_name") == "tests"
    assert await db.fetchval("SHOW statement_timeout") == "30s"


async def test_overlapping_batches_in_any_order_never_deadlock(db, creations, new_task, new_processor, history):
    rng = random.Random(7)
    tasks = [new_task() for _ in range(120)]
    processors = [await new_processor() for _ in range(3)]
    await creations.create_tasks(tasks)

    def some(things):
        return rng.sample(things, k=len(things) * 2 // 3)

    async def work(processor):
        for _ in range(12):
            ids = [task.id for task in some(tasks)]
            claimed = await claims.claim_rung(db, processor, ids, ["echo"], 60)
            fences = [completions.Fence(task.id, task.attempt) for task in claimed]
            reports = [completions.ProgressReport(0.5, "half", fence) for fence in fences]
            boom = Failure("BOOM")
            async with asyncio.TaskGroup() as group:
                group.create_task(completions.report_progress(db, processor, some(reports)))
                group.create_task(completions.succeed(db, processor, [Succeeded(f, None) for f in some(fences)[:3]]))
                group.create_task(completions.settle(db, processor, [HandedBack(fence) for fence in some(fences)]))
                group.create_task(completions.settle(db, processor, [Stopped(fence) for fence in some(fences)]))
                group.create_task(completions.settle(db, processor, [Failed(f, boom) for f in some(fences)[:2]]))
                group.create_task(creations.create_tasks(some(tasks)))
                group.create_task(cancels.cancel(db, "default", rng.choice(ids), ""))
                group.create_task(reaps.take_back(db, 10))

    await asyncio.gather(*(work(processor) for processor in processors))
    assert await db.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    for task in tasks:
        await history(task.id)

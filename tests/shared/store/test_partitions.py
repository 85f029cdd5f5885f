import asyncio
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.domain.ids import id_at
from taskwire_shared.store import partitions
from taskwire_shared.store.partitions import ensure_partitions

FAR = date(2031, 12, 30)


def id_on(moment):
    return id_at(int(moment.timestamp() * 1000))


async def test_makes_the_days_around_today_once(db):
    made = await ensure_partitions(db, today=FAR, days_ahead=2)
    days = ("20311229", "20311230", "20311231", "20320101")
    assert sorted(made) == sorted(f"{parent}_{day}" for parent in ("tasks", "task_events") for day in days)
    assert await ensure_partitions(db, today=FAR, days_ahead=2) == []


async def test_many_at_once_do_not_collide(db):
    made = await asyncio.gather(*(ensure_partitions(db, today=FAR, days_ahead=3) for _ in range(5)))
    assert sorted(name for names in made for name in names) == sorted(set().union(*made))
    assert len(set().union(*made)) == 10


async def test_tables_of_somebody_else_are_not_taken_for_days(db):
    await db.execute("CREATE SCHEMA other")
    await db.execute("CREATE TABLE other.tasks_20311230 (id uuid)")
    assert len(await ensure_partitions(db, today=FAR, days_ahead=0, days_behind=0)) == 2


async def test_a_day_holds_its_ids_and_a_missing_day_refuses_them(db, creations, new_task, history):
    await ensure_partitions(db, today=FAR, days_ahead=0, days_behind=0)
    midnight = datetime(FAR.year, FAR.month, FAR.day, tzinfo=UTC)
    first, last = new_task(id=id_on(midnight)), new_task(id=id_on(midnight + timedelta(days=1, milliseconds=-1)))
    await creations.create_tasks([first, last])
    assert await db.fetchval("SELECT count(*) FROM tasks_20311230") == 2
    assert await db.fetchval("SELECT count(*) FROM task_events_20311230") == 2
    await history(last.id)
    with pytest.raises(asyncpg.CheckViolationError, match="no partition"):
        await creations.create_tasks([new_task(id=id_on(midnight - timedelta(milliseconds=1)))])


async def test_a_day_has_the_indexes_of_its_parent(db):
    await ensure_partitions(db, today=FAR, days_ahead=0, days_behind=0)
    for parent in partitions.PARENTS:
        unattached = await db.fetch(
            """
            SELECT index.indexrelid::regclass FROM pg_index index
            WHERE index.indrelid = $1::text::regclass
                AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = index.indexrelid)
            """,
            f"{parent}_20311230",
        )
        assert unattached == []


async def test_a_parent_that_somebody_keeps_locked_is_not_waited_for_long(db, monkeypatch):
    monkeypatch.setattr(partitions, "LOCK_SECONDS", 0.05)

    async def hold(connection):
        async with connection.transaction():
            await connection.execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(BackendUnavailable):
                await ensure_partitions(db, today=FAR, days_ahead=0)

    await db.run(hold)
    assert len(await ensure_partitions(db, today=FAR, days_ahead=0)) == 4


async def test_reads_and_writes_go_on_while_a_day_is_attached(db, creations, new_task):
    """`CREATE ... PARTITION OF` would wait for this transaction, and everybody else for it."""
    await creations.create_tasks([new_task()])

    async def busy(connection):
        async with connection.transaction():
            await connection.execute("UPDATE tasks SET progress_fraction = 1")
            assert await ensure_partitions(db, today=FAR, days_ahead=0)

    await db.run(busy)

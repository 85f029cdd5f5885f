import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from taskwire_shared.domain.errors import ResumeTokenExpired
from taskwire_shared.domain.ids import id_at, new_id
from taskwire_shared.domain.task import NewTask, TaskState
from taskwire_shared.store import retention
from taskwire_shared.store.creations import Creations
from taskwire_shared.store.events import current_position, feed_since
from taskwire_shared.store.keys import purge_keys
from taskwire_shared.store.partitions import ensure_partitions, partition_name
from taskwire_shared.store.retention import forget_old_tasks

WEEK = timedelta(days=7)
NOW = datetime.now(UTC)

STORE = """
WITH made AS (
    INSERT INTO tasks (
        id, created_at, updated_at, version, attempt, excused, state, priority, tenant, queue, type, request_hash,
        due_at, finished_at
    ) VALUES ($1, $2::timestamptz, $2, 1, 0, 0, $3::smallint, 2, 'default', 'mail', 'send', '',
        CASE WHEN $3 = 1 THEN $2::timestamptz + interval '30 days' END, CASE WHEN $3 >= 4 THEN $2 END)
    RETURNING id
)
INSERT INTO task_events (task_id, version, at, attempt, excused, state, tenant)
SELECT id, 1, $2, 0, 0, $3::smallint, 'default' FROM made
"""


def day(days_ago):
    return (NOW - timedelta(days=days_ago)).date()


async def store(db, created_days_ago, *, changed_days_ago=None, state=TaskState.SUCCEEDED):
    created = NOW - timedelta(days=created_days_ago)
    changed = created if changed_days_ago is None else NOW - timedelta(days=changed_days_ago)
    identifier = id_at(int(created.timestamp() * 1000))
    await db.execute(STORE, identifier, changed, state)
    return identifier


async def tables_of(db, days_ago):
    names = [partition_name(parent, day(days_ago)) for parent in ("tasks", "task_events")]
    rows = await db.fetch("SELECT relname FROM pg_class WHERE relname = ANY ($1)", names)
    return {row["relname"] for row in rows}


async def tasks_of(db):
    return {row["id"] for row in await db.fetch("SELECT id FROM tasks")}


@pytest.fixture
async def old_days(db):
    await ensure_partitions(db, today=NOW.date(), days_behind=20)


async def forget(db):
    return await forget_old_tasks(db, retention=WEEK, now=NOW)


async def test_a_day_that_is_over_is_dropped(db, old_days):
    old = await store(db, 10)
    young = await store(db, 5)

    forgotten = await forget(db)

    assert partition_name("tasks", day(10)) in forgotten.days
    assert await tables_of(db, 10) == set()
    assert len(await tables_of(db, 5)) == 2
    assert await tasks_of(db) == {young}
    assert await db.fetchval("SELECT count(*) FROM task_events WHERE task_id = $1", old) == 0
    assert (await forget(db)).days == ()


async def test_no_day_younger_than_the_retention_is_touched(db, old_days):
    await forget(db)
    kept = [days for days in range(20) if await tables_of(db, days)]
    assert kept == list(range(8))


async def test_p6_dropping_a_day_raises_the_floor(db, old_days):
    before = await current_position(db, None)
    await store(db, 10)
    await forget(db)
    with pytest.raises(ResumeTokenExpired):
        await feed_since(db, before, None)
    after = await current_position(db, None)
    await store(db, 1)
    assert len((await feed_since(db, after, None)).items) == 1


async def test_p6_the_present_can_be_read_from_where_the_newest_event_of_all_was_dropped(db, old_days):
    await store(db, 15, state=TaskState.SCHEDULED)
    await store(db, 10)
    assert partition_name("task_events", day(10)) in (await forget(db)).days
    here = await current_position(db, None)
    assert (await feed_since(db, here, None)).items == []
    young = await store(db, 1)
    assert [task.id for task in (await feed_since(db, here, None)).items] == [young]


async def test_p6_a_transaction_older_than_the_floor_ends_no_reading_while_it_is_open(db, old_days, database_url):
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.fetchval("SELECT pg_current_xact_id()::text")
            await store(db, 10)
            await forget(db)
            here = await current_position(db, None)
            young = await store(db, 1)
            page = await feed_since(db, here, None)
            assert [task.id for task in page.items] == [young]
            assert (await feed_since(db, page.position, None)).items == []
    finally:
        await connection.close()
    # What it has written may have been dropped before anybody read it.
    with pytest.raises(ResumeTokenExpired):
        await feed_since(db, page.position, None)


async def test_dropping_empty_days_leaves_the_floor(db, old_days):
    before = await current_position(db, None)
    await store(db, 1)
    assert (await forget(db)).days
    assert len((await feed_since(db, before, None)).items) == 1


@pytest.mark.parametrize("state", [TaskState.SCHEDULED, TaskState.PENDING])
async def test_a_day_with_a_live_task_is_kept(db, old_days, state):
    live = await store(db, 8.5, state=state)
    old = await store(db, 8.5)
    forgotten = await forget(db)
    assert partition_name("tasks", day(8.5)) not in forgotten.days
    assert await tasks_of(db) == {live, old}


async def test_a_day_in_which_something_ended_lately_is_kept(db, old_days):
    late = await store(db, 8.5, changed_days_ago=3)
    await forget(db)
    assert await tasks_of(db) == {late}


async def test_a_late_day_is_thinned(db, old_days, monkeypatch):
    monkeypatch.setattr(retention, "THIN_TASKS", 2)
    before = await current_position(db, None)
    live = await store(db, 15, state=TaskState.SCHEDULED)
    late = await store(db, 15, changed_days_ago=3)
    for _ in range(5):
        await store(db, 15)

    forgotten = await forget(db)

    assert forgotten.tasks == 5
    assert await tasks_of(db) == {live, late}
    assert {row["task_id"] for row in await db.fetch("SELECT task_id FROM task_events")} == {live, late}
    with pytest.raises(ResumeTokenExpired):
        await feed_since(db, before, None)
    assert (await forget(db)).tasks == 0


async def test_a_day_that_is_in_use_is_left_for_the_next_time(db, old_days, database_url):
    await store(db, 10)
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.fetch(f"SELECT * FROM {partition_name('tasks', day(10))}")
            forgotten = await forget(db)
            assert not any(name.endswith(f"{day(10):%Y%m%d}") for name in forgotten.days)
            assert len(await tables_of(db, 10)) == 2
    finally:
        await connection.close()
    assert len([name for name in (await forget(db)).days if name.endswith(f"{day(10):%Y%m%d}")]) == 2


async def test_a_drop_that_was_interrupted_is_finished(db, old_days):
    await store(db, 10)
    await db.execute(f"DROP TABLE {partition_name('tasks', day(10))}")
    await forget(db)
    assert await tables_of(db, 10) == set()


async def test_many_may_forget_at_once(db, old_days):
    await store(db, 10)
    await store(db, 15, state=TaskState.SCHEDULED)
    for _ in range(20):
        await store(db, 15)
    results = await asyncio.gather(*(forget(db) for _ in range(5)))
    assert sum(result.tasks for result in results) == 20
    while await tables_of(db, 10):
        await forget(db)


async def create_with_key(db, key, age):
    task = NewTask(
        id=new_id(),
        tenant="default",
        queue="mail",
        type="send",
        request_hash=bytes(16),
        idempotency_key=key,
    )
    await Creations(db).create_tasks([task])
    await db.execute("UPDATE idempotency_keys SET created_at = now() - $2::interval WHERE key = $1", key, age)
    return task.id


async def test_keys_outlive_their_tasks_by_no_more_than_a_day(db):
    for key, age in (("gone", 8), ("fresh", 1), ("kept", 8)):
        identifier = await create_with_key(db, key, timedelta(days=age))
        if key != "kept":
            await db.execute("DELETE FROM tasks WHERE id = $1", identifier)
    assert await purge_keys(db, retention=WEEK) == 1
    assert {row["key"] for row in await db.fetch("SELECT key FROM idempotency_keys")} == {"fresh", "kept"}


async def test_keys_are_kept_for_a_day_however_short_the_retention(db):
    identifier = await create_with_key(db, "young", timedelta(hours=23))
    await db.execute("DELETE FROM tasks WHERE id = $1", identifier)
    assert await purge_keys(db, retention=timedelta(days=1)) == 0


async def test_old_keys_of_living_tasks_do_not_hide_others(db):
    for number in range(25):
        await create_with_key(db, f"living-{number}", timedelta(days=30, seconds=-number))
    identifier = await create_with_key(db, "gone", timedelta(days=10))
    await db.execute("DELETE FROM tasks WHERE id = $1", identifier)
    assert await purge_keys(db, retention=WEEK, page=10) == 1

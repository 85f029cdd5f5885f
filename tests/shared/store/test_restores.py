import pytest

from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.task import NewTask
from taskwire_shared.store.creations import Creations
from taskwire_shared.store.database import Database
from taskwire_shared.store.events import current_position, feed_since
from taskwire_shared.store.installation import read_installation
from taskwire_shared.store.restores import adopt_history

# How far the other server was ahead.
AHEAD = 1_000_000


async def create(db, count=1):
    tasks = [
        NewTask(id=new_id(), tenant="default", queue="mail", type="send", request_hash=bytes(16)) for _ in range(count)
    ]
    for task in tasks:
        await Creations(db).create_tasks([task])
    return [task.id for task in tasks]


async def renumber_as_elsewhere(db):
    await db.execute(f"UPDATE task_events SET xid = (xid::text::bigint + {AHEAD})::text::xid8")


async def test_old_events_are_old_again_and_new_ones_new(db):
    await create(db, 3)
    await renumber_as_elsewhere(db)

    assert await adopt_history(db)
    position = await current_position(db, None)
    before = await feed_since(db, position, None)
    (new,) = await create(db)
    after = await feed_since(db, before.position, None)

    assert before.items == []
    assert [task.id for task in after.items] == [new]


async def test_order_is_kept(db):
    ids = await create(db, 5)
    await renumber_as_elsewhere(db)
    await adopt_history(db)

    rows = await db.fetch("SELECT task_id FROM task_events ORDER BY xid, seq")
    assert [row["task_id"] for row in rows] == ids


async def test_positions_from_before_are_refused(db):
    await create(db)
    await renumber_as_elsewhere(db)
    before = await read_installation(db)
    await adopt_history(db)

    assert (await read_installation(db)).incarnation != before.incarnation


async def test_floor_of_another_server_does_not_refuse_everybody(db):
    await db.execute(f"UPDATE installation SET feed_floor = '{AHEAD * 100}'")

    assert await adopt_history(db)
    assert (await feed_since(db, await current_position(db, None), None)).is_complete


@pytest.mark.parametrize("tasks", [0, 2])
async def test_a_database_at_home_is_left_alone(db, tasks):
    await create(db, tasks)
    before = await read_installation(db)
    events = await db.fetch("SELECT task_id, xid::text FROM task_events ORDER BY task_id")

    assert not await adopt_history(db)
    assert await read_installation(db) == before
    assert await db.fetch("SELECT task_id, xid::text FROM task_events ORDER BY task_id") == events


async def test_a_copy_in_the_same_server_is_another_database(db, database_url, postgres):
    name = database_url.rpartition("/")[2]
    await create(db)
    original = await read_installation(db)
    async with Database.open(postgres.url("postgres")) as server:
        await db.execute("SELECT 1")
        await server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        await server.execute(f"CREATE DATABASE {name}_copy TEMPLATE {name}")
        async with Database.open(postgres.url(f"{name}_copy")) as copy:
            copied = await read_installation(copy)
        await server.execute(f"DROP DATABASE {name}_copy WITH (FORCE)")

    assert copied.incarnation != original.incarnation

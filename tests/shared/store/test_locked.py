"""Tasks that are locked are changed on the tables of their days. That it takes this: see `test_rechecks`."""

from datetime import UTC, datetime, timedelta

import pytest

from taskwire_shared.domain.ids import id_at, new_id
from taskwire_shared.store import day
from taskwire_shared.store.locked import change_locked

CHANGE = (
    "UPDATE tasks t SET cancel_reason = $2 WHERE t.id = ANY ($1::uuid[]) RETURNING t.id, t.tableoid::regclass AS day"
)


@pytest.fixture
def change(db):
    async def run(ids):
        async def unit(connection):
            async with connection.transaction():
                return await change_locked(connection, CHANGE, ids, lambda some: (some, "why"))

        return await db.run(unit)

    return run


async def test_tasks_of_several_days_are_changed_in_one_transaction(creations, new_task, change):
    now = datetime.now(UTC)
    times = [int((now + timedelta(days=days)).timestamp() * 1000) for days in (0, 1, 0, 2, 1)]
    ids = [id_at(time) for time in times]
    await creations.create_tasks([new_task(id=one) for one in ids])
    changed = await change(ids)
    assert sorted(row["id"] for row in changed) == sorted(ids)
    assert len({row["day"] for row in changed}) == 3


async def test_nothing_is_asked_where_nothing_is_locked(change):
    assert await change([]) == []


async def test_a_day_of_another_name_is_found_all_the_same(creations, new_task, change, monkeypatch):
    monkeypatch.setattr(day, "partition_name", lambda parent, date: f"{parent}_under_another_name")
    day._on_day.cache_clear()
    task = new_task(id=new_id())
    await creations.create_tasks([task])
    try:
        assert [row["id"] for row in await change([task.id])] == [task.id]
    finally:
        day._on_day.cache_clear()

from datetime import UTC, datetime, timedelta

import pytest

from taskwire_shared.domain.ids import id_at, new_id
from taskwire_shared.store import claims, completions, day
from taskwire_shared.store.day import direct_statement

STATEMENTS = (claims.CLAIM, completions.SUCCEED, completions.SETTLE)
MIDNIGHT = datetime(2031, 12, 31, tzinfo=UTC)
MIDNIGHT_MS = int(MIDNIGHT.timestamp() * 1000)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_batch_of_one_day_names_its_tables_and_no_others(statement):
    direct = direct_statement(statement, [id_at(MIDNIGHT_MS + 86_399_999), id_at(MIDNIGHT_MS)])
    assert direct.replace("tasks_20311231", "tasks").replace("task_events_20311231", "task_events") == statement
    assert direct.count("_20311231") >= 2


@pytest.mark.parametrize(
    "ids",
    [[], [id_at(MIDNIGHT_MS), id_at(MIDNIGHT_MS - 1)], [id_at((1 << 48) - 1)]],
    ids=["none", "two days", "no day of any calendar"],
)
def test_other_batches_go_through_the_parents(ids):
    assert direct_statement(claims.CLAIM, ids) is claims.CLAIM


async def test_a_batch_of_two_days_is_claimed(db, creations, new_task, processor):
    today = int(datetime.now(UTC).timestamp() * 1000)
    tasks = [new_task(id=id_at(today)), new_task(id=id_at(today + int(timedelta(days=1) / timedelta(milliseconds=1))))]
    await creations.create_tasks(tasks)
    ids = [task.id for task in tasks]
    assert {task.id for task in await claims.claim_rung(db, processor, ids, ["echo"], 2)} == set(ids)


async def test_a_ring_of_a_day_that_there_is_not_claims_nothing(db, processor):
    assert await claims.claim_rung(db, processor, [id_at(MIDNIGHT_MS)], ["echo"], 1) == []


async def test_a_day_of_another_name_is_found_all_the_same(db, creations, new_task, processor, monkeypatch):
    monkeypatch.setattr(day, "partition_name", lambda parent, date: f"{parent}_under_another_name")
    day._on_day.cache_clear()
    task = new_task(id=new_id())
    await creations.create_tasks([task])
    try:
        assert len(await claims.claim_rung(db, processor, [task.id], ["echo"], 1)) == 1
    finally:
        day._on_day.cache_clear()

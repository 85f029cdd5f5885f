import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from msgspec import structs
from stored import as_created

from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.task import Payload, RetryPolicy, TaskPriority, TaskState
from taskwire_shared.store import creations as module
from taskwire_shared.store.creations import ContentConflict, Creations

PENDING, SCHEDULED = TaskState.PENDING, TaskState.SCHEDULED


async def count(db):
    return await db.fetchval("SELECT (SELECT count(*) FROM tasks) * 1000 + (SELECT count(*) FROM task_events)")


async def test_stores_a_task_with_every_field(creations, new_task, read, history):
    now = datetime.now(UTC)
    task = new_task(
        priority=TaskPriority.HIGH,
        input=Payload(data=b"\x00\xff", is_text=False, content_type="application/octet-stream"),
        retry_policy=RetryPolicy(
            max_attempts=7, attempt_timeout_ms=1500, initial_backoff_ms=20, max_backoff_ms=365 * 86_400_000
        ),
        schedule_at=now + timedelta(hours=1),
        expire_at=now + timedelta(hours=2),
        labels={"customer": "ünïcode 🎉"},
        retry_of=new_id(),
    )
    creation = await creations.create_tasks([task])
    assert creation.created == {task.id}
    assert creation.new_queues == {"default"}
    assert await read(task.id) == as_created(task, creation.created_at)
    assert await history(task.id) == [SCHEDULED]


@pytest.mark.parametrize(
    "given",
    [{}, {"input": None}, {"input": Payload(data=b"")}, {"labels": {"a": ""}}, {"expire_at": datetime.now(UTC)}],
)
async def test_each_statement_stores_the_same(creations, new_task, read, history, given):
    first, second = new_task(**given), new_task(**given)
    for task in (first, second):
        creation = await creations.create_tasks([task])
        assert await read(task.id) == as_created(task, creation.created_at)
        assert await history(task.id) == [PENDING]


async def test_tasks_of_several_kinds_are_stored_as_they_are(creations, new_task, read):
    text, binary = Payload(data=b"1", is_text=True, content_type="text/csv"), Payload(data=b"2")
    alike = [new_task(input=text), new_task(input=Payload(data=b"3", is_text=True, content_type="text/csv"))]
    for tasks in ([new_task()], alike, [*alike, new_task(input=binary), new_task(type="other"), new_task(input=None)]):
        fresh = [structs.replace(task, id=new_id()) for task in tasks]
        creation = await creations.create_tasks(fresh)
        for task in fresh:
            assert await read(task.id) == as_created(task, creation.created_at)


async def test_a_schedule_in_the_past_is_pending(creations, new_task, history):
    past = datetime.now(UTC) - timedelta(seconds=1)
    for _ in range(2):
        task = new_task(schedule_at=past)
        await creations.create_tasks([task])
        assert await history(task.id) == [PENDING]


async def test_p2_the_same_task_again_is_left_alone(db, creations, new_task, history):
    old, fresh = new_task(), new_task()
    first = await creations.create_tasks([old])
    second = await creations.create_tasks([old, fresh])
    assert (first.created, second.created) == ({old.id}, {fresh.id})
    assert (await creations.create_tasks([old])).created == frozenset()
    assert await history(old.id) == [PENDING]
    (existing,) = await creations.existing([old])
    assert (existing.index, existing.task.id, existing.same, existing.same_tenant) == (0, old.id, True, True)


@pytest.mark.parametrize("change", [{"request_hash": b"x" * 16}, {"tenant": "other"}])
async def test_p2_the_same_id_with_other_content_stores_nothing(db, creations, new_task, change):
    old, fresh = new_task(), new_task()
    await creations.create_tasks([old])
    before = await count(db)
    other = new_task(id=old.id, **change)
    for creator in (creations, Creations(db)):
        with pytest.raises(ContentConflict):
            await creator.create_tasks([fresh, other])
    assert await count(db) == before
    found = {existing.index: existing for existing in await creations.existing([fresh, other])}
    assert list(found) == [1]
    assert found[1].same == ("request_hash" not in change)
    assert found[1].same_tenant == ("tenant" not in change)


async def test_p2_a_key_stands_for_its_task(db, creations, new_task):
    first, again = new_task(idempotency_key="order-1"), new_task(idempotency_key="order-1")
    elsewhere = new_task(idempotency_key="order-1", queue="mail")
    foreign = new_task(idempotency_key="order-1", tenant="other")
    assert (await creations.create_tasks([first, elsewhere, foreign])).created == {first.id, elsewhere.id, foreign.id}
    assert (await creations.create_tasks([again])).created == frozenset()
    (existing,) = await creations.existing([again])
    assert (existing.task.id, existing.same) == (first.id, True)


async def test_p2_a_key_with_other_content_stores_nothing(db, creations, new_task):
    await creations.create_tasks([new_task(idempotency_key="k")])
    before = await count(db)
    with pytest.raises(ContentConflict):
        await creations.create_tasks([new_task(), new_task(idempotency_key="k", request_hash=b"x" * 16)])
    assert await count(db) == before
    assert await db.fetchval("SELECT count(*) FROM idempotency_keys") == 1


async def test_a_key_whose_task_is_long_gone_can_be_used_again(db, creations, new_task):
    old = new_task(idempotency_key="k")
    await creations.create_tasks([old])
    await db.execute("DELETE FROM tasks")
    with pytest.raises(ContentConflict):
        await creations.create_tasks([new_task(idempotency_key="k", request_hash=b"x" * 16)])
    await db.execute("UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'")
    fresh = new_task(idempotency_key="k", request_hash=b"x" * 16)
    assert (await creations.create_tasks([fresh])).created == {fresh.id}
    (existing,) = await creations.existing([fresh])
    assert existing.task.id == fresh.id


async def test_p2_fifty_racing_creates_with_one_key_make_one_task(db, new_task):
    tasks = [new_task(idempotency_key="one") for _ in range(50)]
    creators = [Creations(db) for _ in range(3)]
    results = await asyncio.gather(*(creators[index % 3].create_tasks([task]) for index, task in enumerate(tasks)))
    (winner,) = [task_id for result in results for task_id in result.created]
    assert await db.fetchval("SELECT count(*) FROM tasks") == 1
    found = await creators[0].existing(tasks)
    assert [existing.task.id for existing in found] == [winner] * 50


async def test_p2_racing_creates_of_the_same_ids_in_any_order_make_each_once(db, new_task):
    creators = [Creations(db) for _ in range(4)]
    tasks = [new_task() for _ in range(200)]
    await creators[0].create_tasks([new_task()])
    await creators[1].create_tasks([new_task()])
    results = await asyncio.gather(
        *(creator.create_tasks(tasks[::step]) for creator, step in zip(creators, (1, -1, 1, -1), strict=True))
    )
    created = [task_id for result in results for task_id in result.created]
    assert sorted(created) == sorted(task.id for task in tasks)
    assert await db.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0


async def test_new_queues_are_named_once(creations, new_task):
    first = await creations.create_tasks([new_task(queue="a"), new_task(queue="b"), new_task(queue="a")])
    second = await creations.create_tasks([new_task(queue="a"), new_task(queue="c")])
    assert (first.new_queues, second.new_queues) == ({"a", "b"}, {"c"})


async def test_known_queues_are_forgotten_before_they_are_too_many(monkeypatch, creations, new_task):
    monkeypatch.setattr(module, "KNOWN_QUEUES_MAX", 2)
    for queue in ("a", "b", "c", "a"):
        assert len((await creations.create_tasks([new_task(queue=queue)])).created) == 1
    assert len(creations._known_queues) <= 2


@pytest.mark.parametrize("rare", [{}, {"labels": {"a": "b"}}], ids=["plain", "full"])
async def test_every_statement_stores_tasks_before_their_events(creations, new_task, rare):
    """In the same order, or two that store the same ids may wait for each other."""
    task = new_task(**rare)
    await creations.create_tasks([task])

    with pytest.raises(asyncpg.UniqueViolationError) as refused:
        await creations._create_new([task], frozenset([module._kind(task)]))

    assert refused.value.table_name.startswith("tasks_")

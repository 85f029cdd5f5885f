from datetime import UTC, datetime, timedelta

import pytest

from taskwire_shared.domain import limits
from taskwire_shared.domain.ids import id_at, new_id
from taskwire_shared.domain.selector import TaskSelector
from taskwire_shared.domain.task import NewTask, Payload, TaskState
from taskwire_shared.store import lists
from taskwire_shared.store.cancels import cancel
from taskwire_shared.store.creations import Creations
from taskwire_shared.store.lists import list_tasks
from taskwire_shared.store.reads import get_task

EVERY = TaskSelector()


async def create(db, count=1, **given):
    usual = {"tenant": "default", "queue": "mail", "type": "send", "request_hash": bytes(16)}
    tasks = [NewTask(**({"id": new_id()} | usual | given)) for _ in range(count)]
    await Creations(db).create_tasks(tasks)
    return sorted((task.id for task in tasks), reverse=True)


async def page_of(db, selector=EVERY, *, tenant="default", before=None, limit=100, full=False):
    return await list_tasks(db, tenant, selector, before=before, limit=limit, full=full)


async def ids_of(db, selector=EVERY, **options):
    return [task.id for task in (await page_of(db, selector, **options)).tasks]


async def all_pages(db, selector=EVERY, **options):
    before = None
    pages = []
    while not pages or before is not None:
        page = await page_of(db, selector, before=before, **options)
        pages.append([task.id for task in page.tasks])
        before = page.next_before
    return pages


async def test_nothing_is_an_empty_page(db):
    page = await page_of(db)
    assert page.tasks == []
    assert page.next_before is None


async def test_tasks_come_newest_first(db):
    ids = await create(db, 10)
    assert await ids_of(db) == ids


async def test_a_task_in_a_list_is_the_task(db):
    [identifier] = await create(db, input=Payload(b"in", is_text=True), labels={"a": "b"})
    for full in (False, True):
        [task] = (await page_of(db, full=full)).tasks
        assert task == await get_task(db, "default", identifier, full=full)


@pytest.mark.parametrize("limit", [1, 3, 10, 11])
async def test_pages_leave_nothing_out_and_repeat_nothing(db, limit):
    ids = await create(db, 10)
    pages = await all_pages(db, limit=limit)
    assert [identifier for page in pages for identifier in page] == ids
    assert all(len(page) <= limit for page in pages)


async def test_p10_other_tenants_are_left_out(db):
    await create(db, tenant="alpha")
    ids = await create(db, tenant="beta")
    assert await ids_of(db, tenant="beta") == ids
    assert await ids_of(db) == []


async def test_every_field_of_a_selector_counts(db):
    [identifier] = await create(db, queue="mail", type="send", labels={"a": "1", "b": "2"})
    for other in ({"queue": "other"}, {"type": "other"}, {"labels": {"a": "1"}}, {"labels": {"a": "1", "b": "3"}}):
        await create(db, **({"queue": "mail", "type": "send", "labels": {"a": "1", "b": "2"}} | other))
    selector = TaskSelector(
        queues=frozenset({"mail", "absent"}),
        types=frozenset({"send"}),
        states=frozenset({TaskState.PENDING, TaskState.RUNNING}),
        labels={"a": "1", "b": "2"},
    )
    assert await ids_of(db, selector) == [identifier]
    assert await ids_of(db, TaskSelector(states=frozenset())) == []


async def test_unsuccessful_tasks_are_found(db):
    ids = await create(db, 5)
    await cancel(db, "default", ids[2], "")
    selector = TaskSelector(states=frozenset({TaskState.CANCELLED, TaskState.FAILED}))
    assert await ids_of(db, selector) == [ids[2]]
    assert await ids_of(db, TaskSelector(states=frozenset({TaskState.FAILED}))) == []


async def test_times_bound_a_list_wherever_the_ids_lie(db):
    now = datetime.now(UTC)
    day_old = id_at(int((now - timedelta(hours=23)).timestamp() * 1000))
    ahead = id_at(int((now + timedelta(minutes=4)).timestamp() * 1000))
    await create(db, id=day_old)
    await create(db, id=ahead)
    stored = [await get_task(db, "default", task_id, full=False) for task_id in (day_old, ahead)]
    created, later = [datetime.fromtimestamp(task.created_at, UTC) for task in stored]
    assert await ids_of(db, TaskSelector(min_created_at=created)) == [ahead, day_old]
    assert await ids_of(db, TaskSelector(min_created_at=later)) == [ahead]
    assert await ids_of(db, TaskSelector(max_created_at=later)) == [day_old]
    assert await ids_of(db, TaskSelector(max_created_at=later + timedelta(microseconds=1))) == [ahead, day_old]
    assert await ids_of(db, TaskSelector(min_created_at=later, max_created_at=created)) == []


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
async def test_any_time_can_be_a_bound(db, moment):
    await page_of(db, TaskSelector(min_created_at=moment))
    await page_of(db, TaskSelector(max_created_at=moment))


async def test_a_page_looks_at_a_bounded_number_of_rows(db, monkeypatch):
    monkeypatch.setattr(lists, "SCAN_ROWS_MAX", 10)
    [wanted] = await create(db, type="rare")
    others = await create(db, 25)
    selector = TaskSelector(types=frozenset({"rare"}))

    page = await page_of(db, selector)
    assert page.tasks == []
    assert page.next_before == others[9]
    assert await all_pages(db, selector) == [[], [], [wanted]]


async def test_a_page_ends_before_it_is_too_large(db):
    payload = Payload(bytes(limits.PAYLOAD_BYTES_MAX))
    ids = await create(db, 25, input=payload)
    pages = await all_pages(db, full=True)
    assert [identifier for page in pages for identifier in page] == ids
    size = limits.PAYLOAD_BYTES_MAX + lists.ROW_BYTES
    assert [len(page) for page in pages[:-1]] == [limits.PAGE_BYTES_MAX // size] * (len(pages) - 1)
    assert len(await ids_of(db)) == 25


async def test_labels_count_towards_the_size_of_a_page(db):
    labels = {f"key-{number}": "ä" * limits.LABEL_VALUE_CHARS_MAX for number in range(limits.LABELS_MAX)}
    await create(db, 600, labels=labels)
    page = await page_of(db, limit=1000)
    assert len(page.tasks) < 600
    assert page.next_before == page.tasks[-1].id

import asyncio
import random
from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest
from msgspec import structs

from taskwire_dev.postgres import EmbeddedPostgres, Stop
from taskwire_migrations.migrate import upgrade
from taskwire_shared.domain.errors import ResumeTokenExpired
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import Failed, Fence, HandedBack, Succeeded
from taskwire_shared.domain.task import Failure, NewTask, Payload, TaskState
from taskwire_shared.store import events
from taskwire_shared.store.cancels import cancel
from taskwire_shared.store.claims import claim_rung
from taskwire_shared.store.completions import ProgressReport, report_progress, settle, succeed
from taskwire_shared.store.creations import Creations
from taskwire_shared.store.database import Database
from taskwire_shared.store.events import current_position, feed_since, moves_since, versions_after
from taskwire_shared.store.history import CHANGED_COLUMNS, NOTE_CHANGES
from taskwire_shared.store.positions import Position
from taskwire_shared.store.processors import Processor, register
from taskwire_shared.store.reads import get_task

CHANGE = f"""
WITH held AS (SELECT id FROM tasks WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE), changed AS (
    UPDATE tasks t SET version = t.version + 1, updated_at = clock_timestamp()
    FROM held WHERE t.id = held.id RETURNING {CHANGED_COLUMNS}
) {NOTE_CHANGES}
"""


def new_task(**given):
    usual = {"id": new_id(), "tenant": "default", "queue": "mail", "type": "send", "request_hash": bytes(16)}
    return NewTask(**(usual | given))


async def create(db, count=1, **given):
    tasks = [new_task(**given) for _ in range(count)]
    await Creations(db).create_tasks(tasks)
    return [task.id for task in tasks]


async def processor_of(db):
    identifier = uuid4()
    await register(db, Processor(id=identifier, queues=None, types=["send"], concurrency=10, host="here"), 60)
    return identifier


@asynccontextmanager
async def transaction(database_url):
    """A transaction of somebody else, open until the block ends."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


class Reader:
    """Follows the feed and checks what it promises."""

    def __init__(self, db, position, *, read=feed_since):
        self.db = db
        self.position = position
        self.read = read
        self.versions = defaultdict(list)

    async def go_on(self, limit=events.EVENTS_MAX):
        page = await self.read(self.db, self.position, None, limit)
        # As a token would.
        self.position = Position.from_bytes(page.position.to_bytes())
        for item in page.items:
            self.versions[item.task_id if self.read is moves_since else item.id].append(item.version)
        return page

    async def catch_up(self, limit=events.EVENTS_MAX):
        while not (await self.go_on(limit)).is_complete:
            pass

    def check(self):
        for versions in self.versions.values():
            assert versions == list(range(1, len(versions) + 1))

    @property
    def count(self):
        return sum(map(len, self.versions.values()))


async def reader_of(db, **options):
    return Reader(db, await current_position(db, None), **options)


async def test_nothing_new_is_nothing(db):
    reader = await reader_of(db)
    page = await reader.go_on()
    assert page.items == []
    assert page.is_complete


async def test_changes_are_told_once(db):
    await create(db, 3)
    reader = await reader_of(db)
    ids = await create(db, 5)
    await reader.catch_up()
    await reader.catch_up()
    assert reader.versions == {identifier: [1] for identifier in ids}


async def test_a_task_is_told_as_it_was(db):
    reader = await reader_of(db)
    processor = await processor_of(db)
    task = new_task(input=Payload(b"hello"), labels={"to": "ada"})
    await Creations(db).create_tasks([task])
    [claimed] = await claim_rung(db, processor, [task.id], ["send"], 1)
    fence = Fence(task.id, claimed.attempt)
    await settle(db, processor, [Failed(fence, Failure("NO_ROUTE"), retry_in_seconds=60.0)])
    await cancel(db, "default", task.id, "no longer wanted")

    told = (await reader.go_on()).items

    assert [was.state for was in told] == [
        TaskState.PENDING,
        TaskState.RUNNING,
        TaskState.SCHEDULED,
        TaskState.CANCELLED,
    ]
    assert [was.version for was in told] == [1, 2, 3, 4]
    created, running, waiting, cancelled = told
    assert created.attempt == 0
    assert created.started_at is None
    assert created.labels == {"to": "ada"}
    assert created.input is None
    assert running.processor == processor
    assert running.last_failure is None
    assert waiting.last_failure == Failure("NO_ROUTE")
    assert waiting.schedule_at is not None
    assert waiting.finished_at is None
    assert cancelled == await get_task(db, "default", task.id, full=False)


async def test_the_newest_version_is_what_a_read_gives(db):
    processor = await processor_of(db)
    [identifier] = await create(db, input=Payload(b"in", is_text=True, content_type="text/plain"))
    [claimed] = await claim_rung(db, processor, [identifier], ["send"], 1)
    fence = Fence(identifier, claimed.attempt)
    await report_progress(db, processor, [ProgressReport(0.5, "half", fence)])
    await succeed(db, processor, [Succeeded(fence, Payload(b"out"))])

    versions = await versions_after(db, [(identifier, 0)], 10)

    assert [was.version for was in versions] == [1, 2, 3]
    assert versions[2] == structs.replace(await get_task(db, "default", identifier, full=True), input=None)
    assert versions[2].output == Payload(b"out")
    assert versions[0].output is None
    assert versions[1].progress.message == "half"
    assert versions[0].progress is None


async def test_progress_is_told_of_the_attempt_that_has_made_it(db):
    reader = await reader_of(db)
    processor = await processor_of(db)
    [identifier] = await create(db)
    for message in ("one", "two"):
        [claimed] = await claim_rung(db, processor, [identifier], ["send"], 1)
        fence = Fence(identifier, claimed.attempt)
        await report_progress(db, processor, [ProgressReport(0.5, message, fence)])
        if message == "one":
            await settle(db, processor, [HandedBack(fence)])

    told = (await reader.go_on()).items

    assert [(was.attempt, was.progress and was.progress.message) for was in told] == [
        (0, None), (1, None), (1, None), (2, "two"),
    ]  # fmt: skip
    assert await versions_after(db, [(identifier, 0)], 10) == told


async def test_versions_come_from_where_they_are_asked(db):
    one, other = await create(db, 2)
    for _ in range(3):
        await db.execute(CHANGE, [one, other])
    told = await versions_after(db, [(one, 2), (other, 4), (new_id(), 0)], 10)
    assert [(was.id, was.version) for was in told] == [(one, 3), (one, 4)]
    assert all(was.input is None for was in told)
    assert len(await versions_after(db, [(one, 0), (other, 0)], 5)) == 5
    assert await versions_after(db, [], 5) == []


async def test_p10_versions_of_another_tenant_are_not_told(db):
    [identifier] = await create(db, tenant="alpha")
    assert await versions_after(db, [(identifier, 0)], 10, tenant="beta") == []
    assert len(await versions_after(db, [(identifier, 0)], 10, tenant="alpha")) == 1


async def test_p6_an_open_transaction_delays_only_its_own_changes(db, database_url):
    [held, free] = await create(db, 2)
    reader = await reader_of(db)
    async with transaction(database_url) as open_:
        await open_.execute(CHANGE, [held])
        await db.execute(CHANGE, [free])
        await reader.catch_up()
        assert reader.versions == {free: [2]}
        for _ in range(50):
            await db.execute(CHANGE, [free])
        await reader.catch_up(limit=7)
        assert reader.versions == {free: list(range(2, 53))}
    await reader.catch_up()
    assert reader.versions[held] == [2]
    assert reader.versions[free] == list(range(2, 53))


async def test_p6_commits_out_of_order_are_all_told(db, database_url):
    ids = await create(db, 10)
    reader = await reader_of(db)
    async with AsyncExitStack() as stack:
        connections = [await asyncpg.connect(database_url) for _ in ids]
        for connection in connections:
            stack.push_async_callback(connection.close)
        transactions = [connection.transaction() for connection in connections]
        for begun, connection, identifier in zip(transactions, connections, ids, strict=True):
            await begun.start()
            await connection.execute(CHANGE, [identifier])
        for begun in reversed(transactions):
            await begun.commit()
            await reader.catch_up()
    assert reader.versions == {identifier: [2] for identifier in ids}
    assert list(reader.versions) == ids[::-1]


async def test_p6_what_was_rolled_back_is_not_told(db, database_url):
    [identifier] = await create(db)
    reader = await reader_of(db)
    async with transaction(database_url) as open_:
        await open_.execute(CHANGE, [identifier])
        await open_.execute("ROLLBACK; BEGIN")
    await reader.catch_up()
    assert reader.count == 0


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_p6_a_transaction_that_waited_for_a_later_one_comes_behind_it(db, database_url, limit):
    [identifier, other] = await create(db, 2)
    reader = await reader_of(db)
    async with transaction(database_url) as early:
        await early.fetchval("SELECT pg_current_xact_id()")
        await db.execute(CHANGE, [other])
        await db.execute(CHANGE, [identifier])
        await early.execute(CHANGE, [identifier])
        await early.execute(CHANGE, [other])
    await db.execute(CHANGE, [identifier])
    await reader.catch_up(limit)
    assert reader.versions == {identifier: [2, 3, 4], other: [2, 3]}


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_p6_who_waits_for_one_that_waited_comes_last(db, database_url, limit):
    first, second, third = await create(db, 3)
    reader = await reader_of(db)
    async with transaction(database_url) as slow, transaction(database_url) as slower:
        await slower.fetchval("SELECT pg_current_xact_id()")
        await slow.fetchval("SELECT pg_current_xact_id()")
        await db.execute(CHANGE, [first])
        await slow.execute(CHANGE, [first, second])
        waiting = asyncio.create_task(slower.execute(CHANGE, [second, third]))
        await asyncio.wait([waiting], timeout=0.1)
        assert not waiting.done()
        await slow.execute("COMMIT; BEGIN")
        await waiting
    await reader.catch_up(limit)
    assert reader.versions == {first: [2, 3], second: [2, 3], third: [2]}


async def test_p6_a_transaction_larger_than_a_page_is_told_at_once(db):
    reader = await reader_of(db)
    ids = await create(db, 50)
    page = await reader.go_on(limit=10)
    assert len(page.items) == 50
    await reader.catch_up(limit=10)
    assert reader.versions == {identifier: [1] for identifier in ids}


async def change_at_random(database_url, ids, changes, seed):
    """Change batches of tasks, often in transactions that stay open over others."""
    choose = random.Random(seed)
    connection = await asyncpg.connect(database_url)
    try:
        for _ in range(changes):
            batch = choose.sample(ids, choose.randint(1, 8))
            async with connection.transaction():
                if choose.random() < 0.5:
                    await connection.fetchval("SELECT pg_current_xact_id()")
                    await asyncio.sleep(choose.random() * 0.005)
                await connection.execute(CHANGE, batch)
                if choose.random() < 0.3:
                    await asyncio.sleep(choose.random() * 0.01)
    finally:
        await connection.close()


@pytest.mark.parametrize("read", [feed_since, moves_since])
async def test_p6_every_version_is_told_once_and_in_order_while_many_write(db, database_url, read):
    readers = [await reader_of(db, read=read) for _ in range(3)]
    resumed_late = await reader_of(db, read=read)
    ids = await create(db, 40)

    async def follow(reader, limit):
        while not is_over.is_set():
            await reader.go_on(limit)

    is_over = asyncio.Event()
    async with transaction(database_url) as open_:
        await open_.fetchval("SELECT pg_current_xact_id()")
        async with asyncio.TaskGroup() as group:
            for reader, limit in zip(readers, (3, 50, 5000), strict=True):
                group.create_task(follow(reader, limit))
            writers = [group.create_task(change_at_random(database_url, ids, 60, seed)) for seed in range(8)]
            await asyncio.wait(writers)
            is_over.set()
    rows = await db.fetch("SELECT id, version FROM tasks")
    for reader, limit in zip([*readers, resumed_late], (3, 50, 5000, 11), strict=True):
        await reader.catch_up(limit)
        if read is feed_since:
            reader.check()
        assert {identifier: max(versions) for identifier, versions in reader.versions.items()} == dict(map(tuple, rows))
        assert reader.count == sum(row["version"] for row in rows)


async def test_a_position_below_the_floor_has_expired(db):
    position = await current_position(db, None)
    await db.execute("UPDATE installation SET feed_floor = $1::text::xid8", str(position.xmax + 1))
    with pytest.raises(ResumeTokenExpired):
        await feed_since(db, position, None)
    await db.execute("UPDATE installation SET feed_floor = $1::text::xid8", str(position.xmax))
    await feed_since(db, position, None)


async def test_a_position_of_the_future_has_expired(db):
    position = await current_position(db, None)
    with pytest.raises(ResumeTokenExpired):
        await feed_since(db, Position(position.xmax + 1_000_000_000), None)


async def _burn(db, count):
    for _ in range(count):
        await db.fetchval("SELECT pg_current_xact_id()::text")


async def test_p6_numbers_of_transactions_that_a_crash_gives_again_are_still_to_come(tmp_path):
    # Every 200 ms the server would write down what nobody waits for, and not give those numbers again.
    async with EmbeddedPostgres(tmp_path / "postgres", settings={"wal_writer_delay": "10s"}) as postgres:
        await upgrade(postgres.url("postgres"))
        async with Database.open(postgres.url("postgres"), name="tests") as db:
            [first] = await create(db)
            start = Position(1)
            await _burn(db, 100)
            here = await current_position(db, None)
            read = await feed_since(db, start, None)
            again = await feed_since(db, read.position, None)
            assert ([task.id for task in read.items], again.items) == ([first], [])
            before = await db.fetchval("SELECT pg_current_xact_id()::text::bigint")
        await postgres.stop(Stop.IMMEDIATE)
        await postgres.start()
        async with Database.open(postgres.url("postgres"), name="tests") as db:
            assert await db.fetchval("SELECT pg_current_xact_id()::text::bigint") < before
            [second] = await create(db)
            await _burn(db, 200)
            for position in (here, read.position, again.position):
                assert [task.id for task in (await feed_since(db, position, None)).items] == [second]


async def test_a_version_is_dated_by_the_clock_of_the_database(db):
    reader = await reader_of(db)
    await create(db)
    [was] = (await reader.go_on()).items
    now = await db.fetchval("SELECT clock_timestamp()")
    assert 0 <= now.timestamp() - was.updated_at < 10

"""Every hot statement of the reads uses the index that is meant for it, with fresh statistics and with none."""

import re

import pytest

from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.selector import TaskSelector
from taskwire_shared.domain.task import TaskState
from taskwire_shared.store import events, lists, queues, reads
from taskwire_shared.store.database import Database

TASKS = 100_000

FILL = """
WITH made AS (
    INSERT INTO tasks (
        id, created_at, updated_at, version, attempt, excused, state, priority, tenant, queue, type, request_hash,
        due_at, started_at, finished_at, processor, failure, input
    )
    SELECT id, now(), now(), 1, CASE WHEN state >= 3 THEN 1 ELSE 0 END, 0, state, 2, 'default', 'q' || n % 10, 'send',
        ''::bytea, CASE WHEN state = 1 THEN now() END, CASE WHEN state >= 3 THEN now() END,
        CASE WHEN state >= 4 THEN now() END, CASE WHEN state >= 3 THEN gen_random_uuid() END,
        CASE WHEN state = 5 THEN '{"reason": "X"}'::jsonb END, 'input'
    FROM (
        SELECT n, id, CASE n % 100 WHEN 0 THEN 1 WHEN 1 THEN 2 WHEN 2 THEN 3 WHEN 3 THEN 5 ELSE 4 END AS state
        FROM unnest($1::uuid[]) WITH ORDINALITY AS given(id, n)
    ) AS made
    RETURNING id, state
)
INSERT INTO task_events (task_id, version, at, attempt, excused, state, tenant)
SELECT id, 1, now(), 0, 0, state, 'default' FROM made
"""


@pytest.fixture(scope="module")
async def full_database(postgres, template_database):
    """A database with many tasks in one day, whose statistics are up to each test."""
    name = "plans_reads"
    async with Database.open(postgres.url("postgres")) as server:
        await server.execute(f"CREATE DATABASE {name} TEMPLATE {template_database}")
        async with Database.open(postgres.url(name)) as db:
            await db.execute("ALTER TABLE task_events ALTER COLUMN xid SET STATISTICS 100")
            for _ in range(20):
                await db.execute(FILL, [new_id() for _ in range(TASKS // 20)])
            yield db
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["unknown", "fresh"])
async def filled(request, full_database):
    if request.param == "fresh":
        await full_database.execute("ANALYZE")
    return full_database


async def plans(db, statement, *arguments):
    """Return the plans that the server would use at first and in the long run."""
    found = []

    async def unit(connection):
        for mode in ("force_custom_plan", "force_generic_plan"):
            async with connection.transaction():
                await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
                rows = await connection.fetch(f"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) {statement}", *arguments)
                found.append("\n".join(row[0] for row in rows))

    await db.run(unit)
    return found


def rows_read(plan):
    """Return the most rows that any node has produced."""
    return max(float(rows) * int(loops) for rows, loops in re.findall(r"actual rows=([\d.]+) loops=(\d+)", plan))


def assert_frugal(plan, indexes, most):
    assert "Seq Scan on tasks" not in plan, plan
    assert "Seq Scan on task_events" not in plan, plan
    for index in indexes:
        assert re.search(rf"Scan (Backward )?(using|on) \w*{index}", plan), plan
    assert rows_read(plan) <= most, plan


async def test_the_feed_reads_what_is_new_by_transaction(filled):
    now = await events.current_position(filled, None)
    for statement in (events.FEED, events.MOVES):
        behind = await plans(filled, statement.format(limit=101), str(now.xmax - 5), [str(now.xmax - 9)])
        for plan in behind:
            # The rest of its transaction of 5,000 is not looked at; that of the open one is.
            assert_frugal(plan, ["xid_idx"], 5_000 + 2 * 101)
        news = await plans(filled, statement.format(limit=5_001), str(now.xmax), [])
        for plan in news:
            assert_frugal(plan, ["xid_idx"], 1)


async def test_the_feed_looks_tasks_up_one_by_one(filled):
    now = await events.current_position(filled, None)
    for plan in await plans(filled, events.FEED.format(limit=101), str(now.xmax - 5), []):
        assert_frugal(plan, ["xid_idx", "pkey"], 2 * 101)


async def test_versions_are_found_by_task(filled):
    ids = [row["id"] for row in await filled.fetch("SELECT id FROM tasks ORDER BY id LIMIT 500")]
    for plan in await plans(filled, events.VERSIONS, ids, [0] * 500, 1000, None):
        assert_frugal(plan, ["pkey"], 500)
    for plan in await plans(filled, events.LATER_BELOW, ids, [2] * 500, "0"):
        assert_frugal(plan, ["pkey"], 500)


async def test_a_task_is_found_by_its_id(filled):
    for plan in await plans(filled, reads.GET_TASK_FULL, new_id(), "default"):
        assert_frugal(plan, ["pkey"], 1)


async def test_a_page_reads_from_its_start_to_its_end(filled):
    statement, arguments = lists._compile(
        lists._matching("default", TaskSelector(), lists._bounds(TaskSelector(), None), 50, full=True)
    )
    for plan in await plans(filled, statement, *arguments):
        assert_frugal(plan, ["pkey"], 50)
    ids = [row["id"] for row in await filled.fetch("SELECT id FROM tasks ORDER BY id LIMIT 50")]
    for plan in await plans(filled, lists.READ_PAGE, ids):
        assert_frugal(plan, ["pkey"], 50)


async def test_a_page_looks_at_a_bounded_number_of_rows(filled):
    selector = TaskSelector(types=frozenset({"nobody has this type"}))
    statement, arguments = lists._compile(
        lists._matching("default", selector, lists._bounds(selector, None), 50, full=False)
    )
    for plan in await plans(filled, statement, *arguments):
        assert_frugal(plan, ["pkey"], lists.SCAN_ROWS_MAX)


async def test_a_page_of_failures_reads_failures_only(filled):
    selector = TaskSelector(states=frozenset({TaskState.FAILED, TaskState.CANCELLED}), queues=frozenset({"q3"}))
    statement, arguments = lists._compile(
        lists._matching("default", selector, lists._bounds(selector, None), 50, full=False)
    )
    for plan in await plans(filled, statement, *arguments):
        assert_frugal(plan, [r"id_idx\d*"], 1000)


async def test_a_sample_counts_only_what_has_not_ended(filled):
    for plan in await plans(filled, queues.STATS, "default", "q1"):
        assert_frugal(plan, [], 3 * TASKS / 100)
    for plan in await plans(filled, queues.DEPTHS):
        assert_frugal(plan, [], 3 * TASKS / 100)

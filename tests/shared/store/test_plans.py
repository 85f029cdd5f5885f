"""Every hot statement that writes uses the index that is meant for it, with fresh statistics and with none."""

import re
from datetime import datetime
from itertools import pairwise
from uuid import UUID

import pytest

from taskwire_shared.domain.ids import new_id
from taskwire_shared.store import cancels, claims, completions, creations, dues, processors, reaps
from taskwire_shared.store.database import Database
from taskwire_shared.store.day import direct_statement
from taskwire_shared.store.verdicts import Wish

TASKS = 100_000
BATCH = 200

FILL = """
WITH made AS (
    INSERT INTO tasks (
        id, created_at, updated_at, version, attempt, excused, state, priority, tenant, queue, type, request_hash,
        due_at, started_at, finished_at, processor, input
    )
    SELECT id, now(), now(), 1, CASE WHEN state >= 3 THEN 1 ELSE 0 END, 0, state, 2, 'default', 'q' || n % 10, 'send',
        'h'::bytea, CASE WHEN state = 1 THEN now() + (n - 2500) * interval '1 second' END,
        CASE WHEN state >= 3 THEN now() END, CASE WHEN state >= 4 THEN now() END,
        CASE WHEN state >= 3 THEN $2::uuid END, 'input'
    FROM (
        SELECT n, id, CASE WHEN n % 10 < 2 THEN 2 WHEN n % 10 < 5 THEN 3 WHEN n % 100 = 99 THEN 1 ELSE 4 END AS state
        FROM unnest($1::uuid[]) WITH ORDINALITY AS given(id, n)
    ) AS made
    RETURNING id, state
)
INSERT INTO task_events (task_id, version, at, attempt, excused, state, tenant, processor)
SELECT id, 1, now(), 1, 0, state, 'default', $2::uuid FROM made
"""
PENDING, RUNNING = "state = 2", "state = 3"
EVERYTHING = (claims.EVERYTHING.start, claims.EVERYTHING.end)


@pytest.fixture(scope="module")
async def full_database(postgres, template_database):
    """A database with many tasks in one day, a fifth of them waiting and a third running under one processor."""
    name = "plans"
    async with Database.open(postgres.url("postgres")) as server:
        await server.execute(f"CREATE DATABASE {name} TEMPLATE {template_database}")
        async with Database.open(postgres.url(name)) as db:
            holder = new_id()
            description = processors.Processor(id=holder, queues=None, types=["send"], concurrency=1, host="here")
            await processors.register(db, description, 3600)
            for table in await db.fetch(
                "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent IN ("
                "'tasks'::regclass, 'task_events'::regclass)"
            ):
                await db.execute(f"ALTER TABLE {table['name']} SET (autovacuum_enabled = false)")
            for _ in range(20):
                await db.execute(FILL, sorted(new_id() for _ in range(TASKS // 20)), holder)
            await db.execute(
                "INSERT INTO queues (tenant, name) SELECT 'default', 'q' || n FROM generate_series(0, 9) n"
            )
            yield db, holder
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")


# Of the module, so that the tests without statistics run before the first ones with them.
@pytest.fixture(scope="module", params=["unknown", "fresh"])
async def filled(request, full_database):
    if request.param == "fresh":
        await full_database[0].execute("ANALYZE")
    return full_database


def literal(value):
    """Write a parameter into EXECUTE, which takes none."""
    match value:
        case None:
            return "NULL"
        case list():
            return "ARRAY[" + ", ".join(map(literal, value)) + "]" if value else "'{}'"
        case bytes():
            return f"'\\x{value.hex()}'"
        case str() | UUID() | datetime():
            return f"'{value}'"
        case _:
            return str(value)


async def plans(db, statement, *arguments):
    """Run `statement` without effect, and return the plans used at first and in the long run."""
    kinds = re.findall(r"\$(\d+)::([\w ]+\[\])", statement)
    casts = {int(number): kind for number, kind in kinds}
    values = [
        f"{literal(value)}::{casts[number]}" if number in casts else literal(value)
        for number, value in enumerate(arguments, 1)
    ]
    execute = "EXECUTE hot" + (f"({', '.join(values)})" if values else "")
    found = []

    async def unit(connection):
        for mode in ("force_custom_plan", "force_generic_plan"):
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
            await connection.execute(f"PREPARE hot AS {statement}")
            rows = await connection.fetch(f"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, BUFFERS OFF) {execute}")
            found.append("\n".join(row[0] for row in rows))
            await transaction.rollback()
            await connection.execute("DEALLOCATE hot")

    await db.run(unit)
    return found


async def some(db, where, count=BATCH):
    rows = await db.fetch(f"SELECT id FROM tasks WHERE {where} ORDER BY id DESC LIMIT {count}")
    return [row["id"] for row in rows][::-1]


def rows_read(plan):
    """Return the most rows that any node has produced or thrown away."""
    produced = [float(rows) * int(loops) for rows, loops in re.findall(r"actual rows=([\d.]+) loops=(\d+)", plan)]
    removed = [int(rows) for rows in re.findall(r"Rows Removed by \w[\w ]*: (\d+)", plan)]
    return max(produced + removed)


def used(plan, table="tasks"):
    """Return which indexes of a table were looked into, the name of the day left out."""
    used = re.findall(rf"using {table}_\d+_(\w+) on \w+ \S+ .*?actual rows=[\d.]+ loops=[1-9]", plan)
    return set(used) | set(re.findall(rf"Bitmap Index Scan on {table}_\d+_(\w+)", plan))


def assert_frugal(plan, indexes, most=BATCH):
    assert "Seq Scan" not in plan, plan
    assert used(plan) == indexes, plan
    assert rows_read(plan) <= most, plan


def assert_begins_with_what_is_given(plan):
    """The order in which rows are locked."""
    loop = plan[plan.index("Nested Loop") :].splitlines()
    assert "Function Scan on o" in loop[1], plan
    assert "Hash Join" not in plan, plan
    assert "Merge Join" not in plan, plan


async def test_a_ring_is_claimed_by_id(filled):
    db, holder = filled
    ids = await some(db, PENDING, 2 * BATCH)
    # Rows of their own for each: a bitmap, which is what the day is read by, counts what was taken back, too.
    for statement, rows, most in (
        (claims.CLAIM, ids[:BATCH], BATCH),
        (direct_statement(claims.CLAIM, ids), ids[BATCH:], 2 * BATCH),
    ):
        for plan in await plans(db, statement, holder, rows, ["send", "other"], BATCH, 15.0):
            assert_frugal(plan, {"pkey"}, most)


async def test_what_still_waits_is_found_by_id(filled):
    db, _ = filled
    ids = await some(db, PENDING, BATCH)
    for plan in await plans(db, claims.STILL_WAITING, ids):
        # A bitmap counts them twice, and what was taken back, too.
        assert_frugal(plan, {"pkey"}, most=3 * BATCH)


async def test_what_waits_is_claimed_in_the_order_of_its_index(filled):
    db, holder = filled
    queues = [f"q{number}" for number in range(10)]
    for plan in await plans(db, claims.LOCK_WAITING, holder, queues, ["send", "other"], 10, *EVERYTHING):
        assert_frugal(plan, {"queue_type_priority_id_idx"}, most=BATCH)
    for plan in await plans(db, claims.LOCK_WAITING, holder, ["q3"], ["send"], BATCH, *EVERYTHING):
        assert rows_read(plan) <= BATCH, plan


async def test_what_waits_outside_of_a_slice_is_not_looked_at(filled):
    db, holder = filled
    ids = await some(db, f"{PENDING} AND queue = 'q1'", 50)
    # Of no use here are custom plans, which our sessions do not make: some read all tasks of the slice by their id.
    _, plan = await plans(db, claims.LOCK_WAITING, holder, ["q1"], ["send"], BATCH, ids[0], ids[40])
    assert used(plan) == {"queue_type_priority_id_idx"}, plan
    assert rows_read(plan) == 40, plan


async def test_what_is_held_is_found_by_id(filled):
    db, holder = filled
    ids = await some(db, RUNNING)
    for statement in (processors.READ_HELD, direct_statement(processors.READ_HELD, ids)):
        for plan in await plans(db, statement, holder, ids):
            assert_frugal(plan, {"pkey"})


async def test_successes_find_their_tasks_by_id_and_in_order(filled):
    db, holder = filled
    ids = await some(db, RUNNING)
    nothing, attempts = [None] * BATCH, [1] * BATCH
    for statement in (completions.SUCCEED, direct_statement(completions.SUCCEED, ids)):
        for plan in await plans(db, statement, holder, ids, attempts, nothing, nothing, nothing):
            assert_frugal(plan, {"pkey"})
            assert_begins_with_what_is_given(plan)


async def test_other_outcomes_find_their_tasks_by_id(filled):
    db, holder = filled
    ids = await some(db, RUNNING)
    wishes = [int(Wish.RETRY)] * BATCH
    failures, retries = ['{"reason": "X"}'] * BATCH, [1.0] * BATCH
    arguments = (holder, ids, [1] * BATCH, wishes, failures, [None] * BATCH, retries)
    for plan in await plans(db, completions.SETTLE, *arguments):
        assert_frugal(plan, {"pkey"})
        assert_begins_with_what_is_given(plan)


async def test_reports_find_their_tasks_by_id_and_in_order(filled):
    db, holder = filled
    ids = await some(db, RUNNING)
    arguments = (holder, ids, [1] * BATCH, [0.5] * BATCH, [""] * BATCH)
    for plan in await plans(db, completions.REPORT_PROGRESS, *arguments):
        assert_frugal(plan, {"pkey"})
        assert_begins_with_what_is_given(plan)


async def test_what_has_ended_is_found_by_id(filled):
    db, holder = filled
    ids = await some(db, "state = 4")
    for plan in await plans(db, completions.READ_ENDED, holder, ids, [1] * BATCH):
        assert used(plan, "task_events") == {"pkey"}, plan
        assert rows_read(plan) <= BATCH, plan


async def test_a_cancel_finds_its_task_by_id(filled):
    db, _ = filled
    (task_id,) = await some(db, PENDING, 1)
    for statement, arguments in ((cancels.CANCEL, (task_id, "default", "")), (cancels.READ, (task_id, "default"))):
        for plan in await plans(db, statement, *arguments):
            assert_frugal(plan, {"pkey"}, most=1)


async def test_what_is_due_is_found_by_its_time(filled):
    db, _ = filled
    for plan in await plans(db, dues.LOCK_DUE, BATCH):
        assert_frugal(plan, {"due_at_idx"})
    for plan in await plans(db, dues.NEXT_DUE):
        assert_frugal(plan, {"due_at_idx"})


async def test_what_is_swept_is_found_by_id(filled):
    db, _ = filled
    for statement, condition in ((dues.START_DUE, "state = 1"), (reaps.TAKE_BACK, RUNNING)):
        ids = await some(db, condition)
        for plan in await plans(db, direct_statement(statement, ids), ids):
            assert_frugal(plan, {"pkey"}, most=2 * BATCH)


async def test_what_is_lost_is_looked_for_among_the_running(filled):
    db, holder = filled
    running = await db.fetchval(f"SELECT count(*) FROM tasks WHERE {RUNNING}")
    for statement, arguments in (
        (reaps.LOCK_LOST, (BATCH,)),
        (processors.READ_HOLDINGS, (holder,)),
    ):
        for plan in await plans(db, statement, *arguments):
            assert used(plan) <= {"processor_idx", "pkey"}, plan
            # The index still has entries of what other tests have claimed and taken back.
            assert rows_read(plan) <= running + TASKS // 100, plan
    for plan in await plans(db, reaps.BURY):
        assert used(plan) <= {"processor_idx"}, plan


async def test_new_tasks_are_stored_without_a_look_at_the_old(filled):
    db, _ = filled
    plain = ([new_id()], ["default"], ["q1"], ["send"], [2], [b"h"], [b""], [True], [None])
    rare = ([None], [None], [None], [None], [None], [None], [None], [None])
    alike = ([new_id()], [b"h"], [b""], "default", "q1", "send", 2, True, None)
    for statement, arguments in (
        (creations.CREATE_ALIKE, alike),
        (creations.CREATE_PLAIN, plain),
        (creations.CREATE_FULL, plain + rare),
    ):
        for plan in await plans(db, statement, *arguments):
            assert_frugal(plan, set(), most=1)
    for plan in await plans(db, creations.CREATE_ONCE, *plain, *rare, ["key"]):
        assert_frugal(plan, set(), most=1)


async def test_existing_tasks_are_found_by_key_or_id(filled):
    db, _ = filled
    ids = await some(db, PENDING)
    names = (["default"] * BATCH, ["q1"] * BATCH, [None] * BATCH)
    for plan in await plans(db, creations.READ_EXISTING, ids, *names):
        assert_frugal(plan, {"pkey"})


async def test_days_that_a_batch_does_not_touch_are_not_looked_into(filled):
    db, holder = filled
    ids = await some(db, RUNNING)
    nothing = [None] * BATCH
    for statement, arguments in (
        (claims.CLAIM, (holder, ids, ["send"], BATCH, 15.0)),
        (completions.SUCCEED, (holder, ids, [1] * BATCH, nothing, nothing, nothing)),
    ):
        custom, generic = await plans(db, statement, *arguments)
        for plan in (custom, generic):
            looked_into = re.findall(r"on tasks_(\d+) \S+ .*actual rows=[\d.]+ loops=[1-9]", plan)
            assert len(set(looked_into)) <= (1 if plan is custom or statement is completions.SUCCEED else 9), plan


async def test_a_day_that_was_empty_when_it_was_analyzed_is_looked_into_by_index(db):
    """A plan that was made the day before is the one that runs after midnight."""
    await db.execute("ANALYZE")
    task_id, holder = new_id(), new_id()
    ids, one, none = [task_id], [1], [None]
    for statement, arguments in (
        (claims.CLAIM, (holder, ids, ["send"], 1, 15.0)),
        (claims.LOCK_WAITING, (holder, ["q1"], ["send"], 1, *EVERYTHING)),
        (processors.READ_HELD, (holder, ids)),
        (completions.SUCCEED, (holder, ids, one, none, none, none)),
        (completions.SETTLE, (holder, ids, one, one, none, none, none)),
        (completions.REPORT_PROGRESS, (holder, ids, one, [0.5], [""])),
        (completions.READ_ENDED, (holder, ids, one)),
        (cancels.CANCEL, (task_id, "default", "")),
        (creations.READ_EXISTING, (ids, ["default"], ["q1"], none)),
        (dues.LOCK_DUE, (1,)),
        (dues.START_DUE, (ids,)),
        (reaps.LOCK_LOST, (1,)),
        (reaps.TAKE_BACK, (ids,)),
        (processors.READ_HOLDINGS, (holder,)),
    ):
        for plan in await plans(db, statement, *arguments):
            lines = plan.splitlines()
            for line, following in pairwise(lines):
                if re.search(r"Scan using (tasks|task_events)_\d+_", line) and "processor_idx" not in line:
                    assert "Index Cond" in following, plan

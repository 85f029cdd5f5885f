"""A healthy system passes, and every wound is found and named."""

from uuid import UUID, uuid4

import asyncpg
import pytest

from taskwire_shared.bus.connection import Bus, BusUnavailableError
from taskwire_shared.domain.audit import RULES, Check
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.domain.task import TaskState
from taskwire_shared.store.audit_connection import AuditConnection, NotTaskwire
from taskwire_shared.store.audit_suspects import Suspect, look_for_suspects
from taskwire_shared.store.processors import Processor, register
from taskwire_shared.store.reaps import take_back
from taskwire_shared.verify.verification import Extent, verify

# No processor listens in these tests.
NO_STREAM = {Check.RINGS}


async def test_nothing_is_found_on_a_healthy_system_with_tasks_of_all_kinds(db, population, verified, flawed) -> None:
    states = {row["state"] for row in await db.fetch("SELECT DISTINCT state FROM tasks")}
    assert states == set(TaskState)

    report = await verified()

    assert flawed(report).keys() <= NO_STREAM, report.as_page()
    assert report.sound
    assert report.complete
    assert report.exit_code == 0
    assert report.tasks == 16
    assert report.keys == 1
    assert [result.check for result in report.checks] == list(RULES)


async def test_nothing_is_found_in_an_empty_database(verified, flawed) -> None:
    report = await verified()

    assert not flawed(report)
    assert report.tasks == 0
    assert report.exit_code == 0


# By name: the check that must find it, the kind of task that it is done to, and the statements.
WOUNDS: dict[str, tuple[Check, str, list[str]]] = {
    "a version is missing": (
        Check.VERSIONS,
        "succeeded",
        ["DELETE FROM task_events WHERE task_id = '{id}' AND version = 2"],
    ),
    "the first version is missing": (
        Check.VERSIONS,
        "exhausted",
        ["DELETE FROM task_events WHERE task_id = '{id}' AND version = 1"],
    ),
    "the last version is missing": (
        Check.VERSIONS,
        "succeeded",
        ["DELETE FROM task_events WHERE task_id = '{id}' AND version = 3"],
    ),
    "there is no history": (Check.VERSIONS, "pending", ["DELETE FROM task_events WHERE task_id = '{id}'"]),
    "there is no task": (Check.VERSIONS, "running", ["DELETE FROM tasks WHERE id = '{id}'"]),
    "the row was changed without a version": (
        Check.VERSIONS,
        "pending",
        ["UPDATE tasks SET version = 7 WHERE id = '{id}'"],
    ),
    "versions were written in another order": (
        Check.VERSIONS,
        "succeeded",
        ["UPDATE task_events SET seq = -version WHERE task_id = '{id}'"],
    ),
    "a version is numbered by another server": (
        Check.VERSIONS,
        "succeeded",
        ["UPDATE task_events SET xid = '1000000000' WHERE task_id = '{id}'"],
    ),
    "a finished task went on": (
        Check.FINALS,
        "cancelled",
        [
            (
                "INSERT INTO task_events (task_id, version, at, tenant, state, attempt, excused, processor)"
                " VALUES ('{id}', 3, now(), 'default', 3, 1, 0, gen_random_uuid())"
            )
        ],
    ),
    "a task ended twice": (
        Check.FINALS,
        "succeeded",
        [
            (
                "INSERT INTO task_events (task_id, version, at, tenant, state, attempt, excused)"
                " VALUES ('{id}', 4, now(), 'default', 6, 1, 0)"
            )
        ],
    ),
    "a step was skipped": (
        Check.STEPS,
        "succeeded",
        ["UPDATE task_events SET state = 1 WHERE task_id = '{id}' AND version = 2"],
    ),
    "an old attempt finished the task": (
        Check.FENCES,
        "exhausted",
        ["UPDATE task_events SET attempt = 1 WHERE task_id = '{id}' AND state = 5"],
    ),
    "another processor finished the task": (
        Check.FENCES,
        "succeeded",
        [
            "UPDATE task_events SET processor = gen_random_uuid() WHERE task_id = '{id}' AND state = 4",
            (
                "UPDATE tasks SET processor = (SELECT processor FROM task_events WHERE task_id = '{id}' AND state = 4)"
                " WHERE id = '{id}'"
            ),
        ],
    ),
    "more attempts than allowed": (
        Check.ATTEMPTS,
        "exhausted",
        ["UPDATE tasks SET max_attempts = 1 WHERE id = '{id}'"],
    ),
    "exhausted with attempts to spare": (
        Check.ATTEMPTS,
        "exhausted",
        ["UPDATE tasks SET max_attempts = 9 WHERE id = '{id}'"],
    ),
    "an attempt excused for nothing": (
        Check.ATTEMPTS,
        "succeeded",
        [
            "UPDATE task_events SET excused = 1 WHERE task_id = '{id}' AND version = 3",
            "UPDATE tasks SET excused = 1 WHERE id = '{id}'",
        ],
    ),
    "an attempt began after the cancel": (
        Check.CANCELS,
        "exhausted",
        ["UPDATE task_events SET cancel_requested_at = now() WHERE task_id = '{id}' AND version >= 3"],
    ),
    "cancelled without a request": (
        Check.CANCELS,
        "stopped",
        [
            "UPDATE task_events SET cancel_requested_at = NULL WHERE task_id = '{id}'",
            "UPDATE tasks SET cancel_requested_at = NULL WHERE id = '{id}'",
        ],
    ),
    "an output without success": (Check.RESULTS, "failed", ["UPDATE tasks SET output = 'x' WHERE id = '{id}'"]),
    "failed without a failure": (
        Check.RESULTS,
        "failed",
        [
            "UPDATE task_events SET failure = NULL WHERE task_id = '{id}'",
            "UPDATE tasks SET failure = NULL WHERE id = '{id}'",
        ],
    ),
    "another tenant in the history": (
        Check.TENANTS,
        "succeeded",
        ["UPDATE task_events SET tenant = 'eve' WHERE task_id = '{id}' AND version = 2"],
    ),
    "running, held by nobody": (
        Check.LEASES,
        "running",
        [
            "UPDATE tasks SET processor = NULL WHERE id = '{id}'",
            "UPDATE task_events SET processor = NULL WHERE task_id = '{id}'",
        ],
    ),
    "scheduled, and never due": (Check.DEBTS, "scheduled", ["UPDATE tasks SET due_at = NULL WHERE id = '{id}'"]),
    "expires, and nobody looks": (Check.DEBTS, "pending", ["UPDATE tasks SET due_at = NULL WHERE id = '{id}'"]),
    "running with a time-out that nobody minds": (
        Check.DEBTS,
        "running_with_timeout",
        ["UPDATE tasks SET due_at = NULL WHERE id = '{id}'"],
    ),
    "due long ago": (
        Check.DEBTS,
        "scheduled",
        ["UPDATE tasks SET due_at = now() - interval '1 hour', schedule_at = now() WHERE id = '{id}'"],
    ),
}


@pytest.mark.parametrize("name", WOUNDS)
async def test_wound_is_found(name, population, hurt, verified, flawed) -> None:
    check, kind, statements = WOUNDS[name]
    task_id: UUID = getattr(population, kind)
    await hurt(*(statement.format(id=task_id) for statement in statements))

    report = await verified()

    found = flawed(report)
    assert check in found, report.as_page()
    assert {shown.subject for shown in found[check].shown} == {str(task_id)}
    assert found[check].violations
    assert report.exit_code == 3


async def test_running_task_of_a_dead_processor_is_found(population, hurt, verified, flawed) -> None:
    await hurt("UPDATE processors SET lease_until = now() - interval '1 second'")

    found = flawed(await verified())

    held = {population.running, population.running_with_timeout, population.asked_to_stop}
    assert {shown.subject for shown in found[Check.LEASES].shown} == set(map(str, held))


async def test_what_is_taken_back_in_time_is_no_flaw(db, life, verified, flawed, monkeypatch) -> None:
    await life.run()
    await db.execute("DELETE FROM processors")

    async def look_and_take_back(connection: AuditConnection) -> list[Suspect]:
        suspects = await look_for_suspects(connection)
        await take_back(db, 10)
        return suspects

    monkeypatch.setattr("taskwire_shared.verify.verification.look_for_suspects", look_and_take_back)

    assert Check.LEASES not in flawed(await verified())


async def test_first_in_line_that_an_idle_processor_leaves_is_found(db, population, verified, flawed) -> None:
    idle = Processor(id=uuid4(), queues=["mail"], types=["send"], concurrency=1, host="there")
    await register(db, idle, 600)

    found = flawed(await verified())

    assert found[Check.LINES].violations == 1
    assert "'send' in queue 'mail'" in found[Check.LINES].shown[0].detail


async def test_line_that_nobody_serves_is_a_warning(life, verified, flawed) -> None:
    await life.create(type="fold")

    report = await verified()

    found = flawed(report)
    assert found[Check.LINES].warnings == 1
    assert found[Check.LINES].shown[0].subject == "'fold' in queue 'mail'"
    assert report.exit_code == 0


async def test_line_of_a_paused_queue_may_wait(db, life, verified, flawed) -> None:
    await life.create(type="fold")
    await db.execute("UPDATE queues SET paused = true")

    assert Check.LINES not in flawed(await verified())


async def test_line_of_an_unknown_queue_is_found(db, life, verified, flawed) -> None:
    task_id = await life.create()
    await db.execute("DELETE FROM queues")

    found = flawed(await verified())

    assert found[Check.LINES].violations == 1
    assert found[Check.LINES].shown[0].subject == str(task_id)


async def test_key_of_other_content_is_found(population, hurt, verified, flawed) -> None:
    await hurt("UPDATE idempotency_keys SET request_hash = 'other'")

    found = flawed(await verified())

    assert found[Check.KEYS].shown[0].subject == "default/mail/order-1"
    assert str(population.keyed) in found[Check.KEYS].shown[0].detail


async def test_key_whose_task_was_lost_is_found(population, hurt, verified, flawed) -> None:
    await hurt(f"DELETE FROM tasks WHERE id = '{population.keyed}'")

    assert "gone" in flawed(await verified())[Check.KEYS].shown[0].detail


async def test_old_key_of_a_task_that_was_forgotten_is_no_flaw(population, hurt, verified, flawed) -> None:
    await hurt(
        f"DELETE FROM tasks WHERE id = '{population.keyed}'",
        f"DELETE FROM task_events WHERE task_id = '{population.keyed}'",
        "UPDATE idempotency_keys SET created_at = now() - interval '25 hours'",
    )

    assert flawed(await verified()).keys() <= NO_STREAM


async def test_key_that_is_there_twice_is_found(population, hurt, verified, flawed) -> None:
    await hurt(
        "ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_pkey",
        "INSERT INTO idempotency_keys SELECT * FROM idempotency_keys",
    )

    assert flawed(await verified())[Check.KEYS].shown[0].detail == "it is there 2 times"


async def test_missing_days_are_found(db, population, verified, flawed) -> None:
    names = await db.fetch("SELECT relname FROM pg_class WHERE relname ~ '^tasks_[0-9]+$' ORDER BY relname")
    for row in names[2:5]:
        await db.execute(f"DROP TABLE {row['relname']}")

    found = flawed(await verified())

    # Tomorrow is urgent; the days after are not yet.
    assert [shown.subject for shown in found[Check.DAYS].shown if not shown.warning] == [names[2]["relname"]]
    assert found[Check.DAYS].warnings == 2


async def test_index_that_is_not_valid_is_found(population, hurt, verified, flawed) -> None:
    await hurt("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'processors_pkey'::regclass")

    assert flawed(await verified())[Check.DAYS].shown[0].subject == "processors_pkey"


@pytest.mark.parametrize(("name", "is_sound"), [("taskwire processor", False), ("somebody", True)])
async def test_connection_left_in_a_transaction_is_found(
    database_url, population, verified, flawed, monkeypatch, name, is_sound
) -> None:
    monkeypatch.setattr("taskwire_shared.store.audit_premises.IDLE_SECONDS_MAX", 0)
    connection = await asyncpg.connect(database_url, server_settings={"application_name": name})
    await connection.execute("BEGIN")

    report = await verified()

    await connection.close()
    assert report.sound is is_sound
    assert f"{name}: idle in a transaction" in flawed(report)[Check.CONNECTIONS].shown[0].detail


async def test_time_is_limited(population, verified) -> None:
    report = await verified(seconds_max=0.0)

    assert not report.complete
    assert report.exit_code == 1


async def test_days_are_limited(population, hurt, verified) -> None:
    report = await verified(days=1)
    assert report.tasks == 16

    assert report.complete


async def test_nothing_is_written(db, population, verified) -> None:
    async def written() -> object:
        return await db.fetchval("SELECT pg_current_snapshot()::text")

    before = await written()
    await verified()

    assert await written() == before


async def test_database_that_is_away_is_named(settings, verified) -> None:
    with pytest.raises(BackendUnavailable):
        await verify(settings(database_url="postgresql://nobody@127.0.0.1:1/none"), Extent())


async def test_database_of_something_else_is_named(settings, postgres) -> None:
    with pytest.raises(NotTaskwire):
        await verify(settings(database_url=postgres.url("postgres")), Extent())


async def test_broker_that_is_away_is_a_warning(population, verified, flawed, monkeypatch) -> None:
    async def no_answer(bus: Bus) -> None:
        raise BusUnavailableError

    monkeypatch.setattr("taskwire_shared.verify.verification.take_census", no_answer)
    report = await verified()

    assert report.sound
    assert report.rings is None
    assert flawed(report)[Check.RINGS].shown[0].subject == "broker"

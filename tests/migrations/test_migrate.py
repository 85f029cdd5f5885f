import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_migrations import command, migrate
from taskwire_migrations.comparison import is_ours
from taskwire_shared import lifecycle
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.store.tables import metadata

NAME = "migrations"
DAYS = r"SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^tasks_\d{8}$' ORDER BY relname DESC"
NEWEST_DAY = f"{DAYS} LIMIT 1"
ANSWER_SECONDS = 30
"""Less than a migration is waited for."""


@pytest.fixture
async def empty_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """Make a database with nothing in it."""
    connection = await asyncpg.connect(postgres.url("postgres"))
    await connection.execute(f"CREATE DATABASE {NAME}")
    yield postgres.url(NAME)
    await connection.execute(f"DROP DATABASE {NAME} WITH (FORCE)")
    await connection.close()


@asynccontextmanager
async def session(url):
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def relations(url):
    async with session(url) as connection:
        rows = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY relname"
        )
        return [row["relname"] for row in rows]


async def test_up_down_and_up_again(empty_url):
    assert not (await migrate.status(empty_url)).is_current
    await migrate.upgrade(empty_url)
    assert (await migrate.status(empty_url)).is_current
    first = await relations(empty_url)
    assert {"tasks", "task_events", "processors", "queues", "idempotency_keys", "installation"} <= set(first)
    assert sum(name.startswith("tasks_20") and name[6:].isdigit() for name in first) == 9

    await migrate.downgrade(empty_url)
    assert (await migrate.status(empty_url)).current is None
    assert [name for name in await relations(empty_url) if not name.startswith("alembic_version")] == []

    await migrate.upgrade(empty_url)
    assert await relations(empty_url) == first


async def test_many_at_once_do_not_collide(empty_url):
    await asyncio.gather(*(migrate.upgrade(empty_url) for _ in range(4)))
    assert (await migrate.status(empty_url)).is_current
    connection = await asyncpg.connect(empty_url)
    assert await connection.fetchval("SELECT count(*) FROM installation") == 1
    assert await connection.fetchval("SELECT length(token_secret) FROM installation") == 32
    await connection.close()


async def test_again_changes_nothing(database_url):
    before = await relations(database_url)
    await migrate.upgrade(database_url)
    assert await relations(database_url) == before


async def test_models_and_migrations_agree(database_url):
    def differences(connection):
        options = {"include_name": is_ours, "compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    assert await migrate.locked(database_url, differences) == []


async def test_checks_and_partial_indexes_agree_with_the_models(database_url, empty_url):
    """What `compare_metadata` does not look at: made by the models, then compared as the database prints it."""
    await migrate.locked(empty_url, metadata.create_all)
    printed = """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE contype IN ('c', 'p') AND conrelid::regclass::text = ANY ($1::text[])
        UNION ALL
        SELECT tablename, indexname, replace(indexdef, ' ON ONLY ', ' ON ') FROM pg_indexes
        WHERE tablename = ANY ($1::text[])
        UNION ALL
        SELECT table_name, column_name, concat_ws(' ', ordinal_position, data_type, is_nullable, column_default)
        FROM information_schema.columns WHERE table_name = ANY ($1::text[])
        ORDER BY 1, 2, 3
    """
    found = []
    for url in (database_url, empty_url):
        connection = await asyncpg.connect(url)
        found.append([tuple(row) for row in await connection.fetch(printed, list(metadata.tables))])
        await connection.close()
    assert found[0] == found[1]
    assert len(found[0]) > 60


def test_the_command_brings_a_database_up_and_down(monkeypatch, capsys, empty_url):
    monkeypatch.setenv("TASKWIRE_DATABASE_URL", empty_url)
    assert command.main(["status"]) == 1
    assert command.main([]) == 0
    assert command.main(["status"]) == 0
    assert "database at 0001, this release needs 0001" in capsys.readouterr().out
    assert command.main(["down"]) == 2
    assert "removes everything" in capsys.readouterr().err
    assert command.main(["status"]) == 0
    assert command.main(["down", "--yes"]) == 0
    assert command.main(["status"]) == 1


def test_the_command_names_a_wrong_setting(monkeypatch, capsys):
    monkeypatch.setenv("TASKWIRE_DATABASE_URL", "mysql://x")
    assert command.main([]) == 2
    assert "TASKWIRE_DATABASE_URL" in capsys.readouterr().err


def test_the_command_says_when_the_database_does_not_answer(monkeypatch, capsys):
    monkeypatch.setenv("TASKWIRE_DATABASE_URL", "postgresql://postgres@127.0.0.1:1/nothing")
    assert command.main(["status"]) == 1
    assert "127.0.0.1:1/nothing does not answer" in capsys.readouterr().err


def test_the_command_says_in_a_line_what_refuses_it(monkeypatch, capsys, postgres):
    monkeypatch.setenv("TASKWIRE_DATABASE_URL", postgres.url("nosuch"))
    assert command.main([]) == 1
    assert 'database "nosuch" does not exist' in capsys.readouterr().err.strip().splitlines()[-1]


async def test_what_a_later_release_has_brought_is_left_where_it_is(empty_url):
    await migrate.upgrade(empty_url)
    async with session(empty_url) as connection:
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")
        await connection.execute("DROP TABLE " + (await connection.fetchval(NEWEST_DAY)))

        await migrate.upgrade(empty_url)

        found = await migrate.status(empty_url)
        assert (found.current, found.is_later, found.is_current) == ("9999", True, True)
        assert len(await connection.fetch(DAYS)) == 9
    with pytest.raises(migrate.MigrationFailed, match="9999"):
        await migrate.downgrade(empty_url)


async def test_to_tell_where_a_database_is_waits_for_no_migration(database_url):
    async with session(database_url) as other, asyncio.timeout(ANSWER_SECONDS):
        await other.execute("SELECT pg_advisory_lock($1)", migrate.ADVISORY_LOCK)
        assert (await migrate.status(database_url)).is_current


async def test_a_step_that_others_hold_up_can_be_repeated(database_url):
    async with session(database_url) as other, other.transaction():
        await other.execute("LOCK TABLE queues IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(BackendUnavailable) as refused:
            await migrate.locked(database_url, lambda connection: connection.execute(text("LOCK TABLE queues")))
    assert "lock timeout" in lifecycle.told(refused.value)


async def test_a_step_that_is_wrong_is_named(database_url):
    with pytest.raises(migrate.MigrationFailed, match="division by zero"):
        await migrate.locked(database_url, lambda connection: connection.execute(text("SELECT 1 / 0")))

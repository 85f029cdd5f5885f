"""A service waits for its tables."""

import asyncio
import itertools

import asyncpg
import pytest
from structlog.testing import capture_logs

from taskwire_migrations import schema
from taskwire_migrations.migrate import upgrade
from taskwire_migrations.schema import NotMigrated, prepare_schema
from taskwire_shared.domain.errors import BackendUnavailable

_numbers = itertools.count()


@pytest.fixture
async def empty_url(postgres):
    name = f"empty_{next(_numbers)}"
    connection = await asyncpg.connect(postgres.url("postgres"))
    await connection.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


async def test_migrated_database_is_taken_as_it_is(settings):
    await prepare_schema(settings(), asyncio.Event(), empty_seconds=0)


async def test_empty_database_is_refused_after_a_while(settings, empty_url):
    with pytest.raises(NotMigrated):
        await prepare_schema(settings(database_url=empty_url), asyncio.Event(), empty_seconds=0)


async def test_empty_database_is_migrated_where_asked_for(settings, empty_url):
    await prepare_schema(settings(database_url=empty_url, migrate=True), asyncio.Event(), empty_seconds=0)
    await prepare_schema(settings(database_url=empty_url), asyncio.Event(), empty_seconds=0)


async def test_somebody_else_may_migrate_meanwhile(settings, empty_url):
    waiting = asyncio.create_task(prepare_schema(settings(database_url=empty_url), asyncio.Event(), empty_seconds=10))
    await upgrade(empty_url)
    await asyncio.wait_for(waiting, 10)


async def test_database_that_does_not_answer(settings):
    with pytest.raises(BackendUnavailable):
        await prepare_schema(
            settings(database_url="postgresql://nobody@127.0.0.1:9/none"),
            asyncio.Event(),
            empty_seconds=10,
            answer_seconds=0,
        )


@pytest.fixture
def wait_and_stop(settings, eventually, monkeypatch):
    """Returns what is logged until the service is stopped after several looks."""
    monkeypatch.setattr(schema, "PAUSE_SECONDS", 0.001)
    looks = []

    async def status(url):
        looks.append(url)
        return await look(url)

    look = schema.migrate.status
    monkeypatch.setattr(schema.migrate, "status", status)

    async def wait(url):
        stop = asyncio.Event()
        with capture_logs() as lines:
            waiting = asyncio.create_task(prepare_schema(settings(database_url=url), stop, empty_seconds=10))
            await eventually(lambda: len(looks) > 2)
            stop.set()
            await asyncio.wait_for(waiting, 10)
        return [line for line in lines if line["log_level"] == "warning"]

    return wait


async def test_waiting_for_an_answer_is_told_once_and_ends_with_the_service(wait_and_stop):
    [line] = await wait_and_stop("postgresql://nobody:s3cret@127.0.0.1:9/none")

    assert line["event"] == "database.unreachable"
    assert line["error"].startswith("ConnectionRefusedError: ")
    assert "s3cret" not in line["error"]


async def test_waiting_for_tables_is_told_once_and_ends_with_the_service(wait_and_stop, empty_url):
    [line] = await wait_and_stop(empty_url)

    assert line["event"] == "database.empty"

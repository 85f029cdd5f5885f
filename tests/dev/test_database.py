import asyncpg
import pytest

from taskwire_dev import database
from taskwire_dev.database import prepare_database
from taskwire_dev.failure import StartFailed


@pytest.fixture
async def named(postgres, monkeypatch):
    """Let the database have a name of its own, since the server is shared with other tests."""
    monkeypatch.setattr(database, "DATABASE", "prepared")
    yield postgres.url("prepared")
    connection = await asyncpg.connect(postgres.url("postgres"))
    await connection.execute("DROP DATABASE IF EXISTS prepared WITH (FORCE)")
    await connection.close()


async def test_it_is_made_once_and_kept(postgres, named):
    await prepare_database(postgres)
    connection = await asyncpg.connect(named)
    await connection.execute("INSERT INTO queues (tenant, name) VALUES ('default', 'kept')")
    await connection.close()

    await prepare_database(postgres)

    connection = await asyncpg.connect(named)
    assert await connection.fetchval("SELECT name FROM queues") == "kept"
    await connection.close()


async def test_a_database_of_somebody_else_is_a_clear_message(postgres, named):
    connection = await asyncpg.connect(postgres.url("postgres"))
    await connection.execute("CREATE DATABASE prepared")
    await connection.close()
    connection = await asyncpg.connect(named)
    await connection.execute("CREATE TABLE tasks (other int)")
    await connection.close()

    with pytest.raises(StartFailed, match=r"cannot be brought up to date: .*already exists"):
        await prepare_database(postgres)

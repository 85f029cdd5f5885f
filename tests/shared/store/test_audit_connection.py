import asyncpg
import pytest

from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.store.audit_connection import AuditConnection, NotTaskwire
from taskwire_shared.store.database import Database


@pytest.mark.parametrize("statement", ["INSERT INTO queues (tenant, name) VALUES ('a', 'b')", "DROP TABLE tasks"])
async def test_it_cannot_write(database_url, statement) -> None:
    async with AuditConnection.open(database_url) as connection:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.fetch(statement)


async def test_a_look_sees_one_moment(db: Database, database_url) -> None:
    count = "SELECT count(*) FROM queues"
    async with AuditConnection.open(database_url) as connection:
        async with connection.look():
            (before,) = await connection.fetch(count)
            await db.execute("INSERT INTO queues (tenant, name) VALUES ('default', 'new')")
            (during,) = await connection.fetch(count)
        (after,) = await connection.fetch(count)

    assert (before["count"], during["count"], after["count"]) == (0, 0, 1)


async def test_settings_of_a_look_end_with_it(database_url) -> None:
    shown = "SELECT current_setting('enable_seqscan') AS value"
    async with AuditConnection.open(database_url) as connection:
        async with connection.look("SET LOCAL enable_seqscan = on"):
            (during,) = await connection.fetch(shown)
        (after,) = await connection.fetch(shown)

    assert (during["value"], after["value"]) == ("on", "off")


async def test_other_tables_are_told_from_an_outage(database_url) -> None:
    async with AuditConnection.open(database_url) as connection:
        with pytest.raises(NotTaskwire):
            await connection.fetch("SELECT * FROM no_such_table")
        with pytest.raises(NotTaskwire):
            await connection.fetch("SELECT no_such_column FROM tasks")
        (mine,) = await connection.fetch("SELECT pg_backend_pid() AS pid")
        with pytest.raises(BackendUnavailable):
            await connection.fetch("SELECT pg_terminate_backend($1)", mine["pid"])


async def test_a_server_that_is_away_is_unavailable() -> None:
    with pytest.raises(BackendUnavailable):
        async with AuditConnection.open("postgresql://nobody@127.0.0.1:1/none"):
            pass

"""Arrays reach Postgres whole, however often they are sent."""

import asyncpg
import pytest

from taskwire_shared.store.column import Column, with_columns

ECHO = "SELECT $1::text[], $2::bytea[], $3::bigint[]"


async def test_an_array_arrives_as_it_is_also_when_it_is_sent_again(db):
    arrays = ["a", None, ""], [b"\0", None], []
    columns = [Column(array) for array in arrays]
    for _ in range(3):
        row = await db.run(lambda connection: connection.fetchrow(ECHO, *columns))
        assert tuple(row) == arrays


async def test_an_array_arrives_after_one_that_could_not_be_written(db):
    good, bad = Column(["a", "b"]), Column([1])
    with pytest.raises(asyncpg.DataError, match="expected str"):
        await db.run(lambda connection: connection.fetchrow("SELECT $1::text[], $2::text[]", good, bad))
    assert await db.run(lambda connection: connection.fetchval("SELECT $1::text[]", good)) == ["a", "b"]


async def test_a_plan_that_went_stale_gets_the_array_again(db):
    async def unit(connection):
        await connection.execute("CREATE TEMP TABLE stale (a integer)")
        query, column = (
            "SELECT $1::text[] AS names, s.* FROM stale s RIGHT JOIN (SELECT 1) AS one ON true",
            Column(["x", "y"]),
        )
        assert (await connection.fetchrow(query, column))["names"] == ["x", "y"]
        await connection.execute("ALTER TABLE stale ADD COLUMN b text")
        assert (await connection.fetchrow(query, column))["names"] == ["x", "y"]
        await connection.execute("DROP TABLE stale")

    await db.run(unit)


def test_only_lists_become_columns():
    given = ["text", b"bytes", (1, 2), None, 5]
    assert with_columns(given) == given
    assert isinstance(with_columns([[1]])[0], Column)

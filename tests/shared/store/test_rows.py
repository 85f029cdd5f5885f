"""Rows are taken apart by position: every statement that tasks are made from has the columns in this order."""

import pytest

from taskwire_shared.store import cancels, creations, events, lists, reads
from taskwire_shared.store.database import Database
from taskwire_shared.store.rows import BASIC_COLUMNS, FULL_COLUMNS


@pytest.mark.parametrize(
    ("statement", "columns"),
    [
        (reads.GET_TASK, BASIC_COLUMNS),
        (reads.GET_TASK_FULL, FULL_COLUMNS),
        (lists.READ_PAGE, BASIC_COLUMNS),
        (lists.READ_PAGE_FULL, FULL_COLUMNS),
        (cancels.CANCEL, BASIC_COLUMNS),
        (cancels.READ, BASIC_COLUMNS),
        (creations.READ_EXISTING, BASIC_COLUMNS),
        (events.FEED.format(limit=1), BASIC_COLUMNS),
        (events.VERSIONS, FULL_COLUMNS),
    ],
)
async def test_a_row_begins_with_the_columns_of_a_task(db: Database, statement: str, columns: tuple[str, ...]) -> None:
    async def unit(connection):
        return (await connection.prepare(statement)).get_attributes()

    found = [attribute.name for attribute in await db.run(unit)]

    assert tuple(found[: len(columns)]) == columns

"""What the supervisor cannot see is written down as well."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from taskwire_chaos.inspection import wait_for_the_end
from taskwire_chaos.journal import Journal, Overdue, read_journal


class _Hanging:
    async def fetch(self, statement: str) -> Any:
        await asyncio.Event().wait()


@asynccontextmanager
async def _connection() -> AsyncIterator[_Hanging]:
    yield _Hanging()


async def test_p5_a_database_that_does_not_say_what_is_unfinished_is_overdue(tmp_path: Path) -> None:
    file = tmp_path / "supervisor.jsonl"
    with Journal(file) as journal:
        site: Any = SimpleNamespace(connection=_connection, journal=journal)
        assert not await wait_for_the_end(site, 0.01)

    [overdue] = read_journal(file)
    assert isinstance(overdue, Overdue)
    assert not overdue.task

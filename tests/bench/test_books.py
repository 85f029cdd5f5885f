from datetime import UTC, datetime, timedelta

import pytest
from taskwire_bench.books import Books
from taskwire_bench.failure import Dishonest
from taskwire_bench.history import fill, sizes
from taskwire_bench.rig import this_moment

from taskwire_shared.domain.ids import floor_id, new_id
from taskwire_shared.domain.task import NewTask
from taskwire_shared.store.creations import Creations


async def test_the_audit_finds_what_was_put_there(database_url: str) -> None:
    yesterday = floor_id(datetime.now(UTC) - timedelta(days=1, hours=1))
    await fill(database_url, 10)
    async with Books.open(database_url) as books:
        audit = await books.audit(10, since=yesterday)

        assert (audit.tasks, audit.events, audit.repeated) == (10, 30, 0)
        with pytest.raises(Dishonest):
            await books.audit(11, since=yesterday)
        await books.clear()
        assert await books.count(since=yesterday) == 0


async def test_a_task_that_waits_is_not_done(database_url: str, db) -> None:
    since = this_moment()
    task = NewTask(id=new_id(), tenant="default", queue="default", type="nobody", request_hash=b"0" * 16)
    await Creations(db).create_tasks([task])
    async with Books.open(database_url) as books:
        with pytest.raises(Dishonest):
            await books.wait_until_done(patience_seconds=0.2)
        with pytest.raises(Dishonest):
            await books.audit(1, since=since)


async def test_sizes_grow_with_what_is_there(database_url: str) -> None:
    before = await sizes(database_url)
    await fill(database_url, 1_000)
    after = await sizes(database_url)

    assert after["tables"] > before["tables"]
    assert after["indexes"] > before["indexes"]

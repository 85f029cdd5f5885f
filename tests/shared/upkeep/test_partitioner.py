from datetime import UTC, datetime, timedelta

from taskwire_shared.store import partitions, retention
from taskwire_shared.store.partitions import ensure_partitions, partition_name
from taskwire_shared.upkeep.partitioner import PAUSE_SECONDS, Partitioner


async def tables_of(db):
    rows = await db.fetch(r"SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^tasks_\d{8}$'")
    return {row["relname"] for row in rows}


async def test_a_round_makes_coming_days_and_drops_old_ones(db):
    today = datetime.now(UTC).date()
    await ensure_partitions(db, today=today - timedelta(days=20), days_ahead=0, days_behind=0)
    week_ahead = partition_name("tasks", today + timedelta(days=7))
    await db.execute(f"DROP TABLE {week_ahead}")

    pause = await Partitioner(db, retention_days=7).keep_days()

    assert PAUSE_SECONDS / 2 <= pause <= PAUSE_SECONDS
    names = {partition_name("tasks", today + timedelta(days=days)) for days in range(-1, 8)}
    assert await tables_of(db) == names


async def test_a_round_goes_by_the_clock_of_the_server(db, monkeypatch):
    """A process whose own clock is ahead drops nothing early, today's tables least of all."""

    class Ahead(datetime):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz) + timedelta(days=9)

    for module in (partitions, retention):
        monkeypatch.setattr(module, "datetime", Ahead)
    await ensure_partitions(db)
    before = await tables_of(db)

    await Partitioner(db, retention_days=7).keep_days()

    assert await tables_of(db) == before

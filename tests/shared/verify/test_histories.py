from datetime import date

from taskwire_shared.domain.audit import Check
from taskwire_shared.store import audit_histories
from taskwire_shared.store.audit_connection import AuditConnection
from taskwire_shared.store.audit_histories import list_days
from taskwire_shared.verify.histories import Histories


async def audited(database_url: str, connections: int = 1) -> Histories:
    histories = Histories([], lambda: False)
    async with AuditConnection.open(database_url) as one, AuditConnection.open(database_url) as other:
        histories = Histories(await all_days(one), lambda: False)
        histories.found = await histories.audit([one, other][:connections])  # type: ignore[attr-defined]
    return histories


async def all_days(connection: AuditConnection) -> list[date]:
    return [day.day for day in await list_days(connection) if day.has_tasks]


async def test_every_task_is_looked_at_once_however_the_slices_fall(life, database_url, monkeypatch) -> None:
    for _ in range(23):
        await life.create()
    for size in (1, 5, 23, 24):
        monkeypatch.setattr(audit_histories, "SLICE_TASKS", size)
        for connections in (1, 2):
            histories = await audited(database_url, connections)
            assert histories.tasks == 23
            assert histories.is_complete
            assert not histories.found.violations


async def test_flaws_in_all_slices_are_counted(life, hurt, database_url, monkeypatch) -> None:
    for _ in range(12):
        await life.create()
    await hurt("UPDATE tasks SET version = 2")
    monkeypatch.setattr(audit_histories, "SLICE_TASKS", 5)

    histories = await audited(database_url, 2)

    assert histories.found.violations[Check.VERSIONS] == 12


async def test_events_of_a_day_that_is_being_dropped_are_no_flaw(db, life, database_url) -> None:
    await life.create()
    async with AuditConnection.open(database_url) as connection:
        days = await all_days(connection)
        for day in days:
            await db.execute(f"DROP TABLE tasks_{day:%Y%m%d}")
        histories = Histories(days, lambda: False)
        found = await histories.audit([connection])

    assert not found.violations


async def test_it_stops_when_the_time_is_over(life, database_url) -> None:
    await life.create()
    async with AuditConnection.open(database_url) as connection:
        histories = Histories(await all_days(connection), lambda: True)
        await histories.audit([connection])

    assert histories.tasks == 0
    assert not histories.is_complete

import asyncpg
import pytest

from taskwire_shared.domain.audit import Check
from taskwire_shared.store import audit_premises
from taskwire_shared.store.audit_connection import AuditConnection
from taskwire_shared.store.audit_premises import audit_connections, audit_days, audit_indexes


async def test_a_fresh_database_has_all_it_needs(database_url) -> None:
    async with AuditConnection.open(database_url) as connection:
        assert await audit_days(connection) == []
        assert await audit_indexes(connection) == []
        assert await audit_connections(connection) == []


async def test_texts_sorted_by_another_library_are_a_warning(database_url, monkeypatch) -> None:
    monkeypatch.setattr(audit_premises, "OTHER_COLLATION", "SELECT '2.31' AS made_with, '2.36' AS now")
    async with AuditConnection.open(database_url) as connection:
        (flaw,) = await audit_indexes(connection)

    assert flaw.is_warning
    assert "2.31" in flaw.detail


@pytest.mark.parametrize(("name", "is_warning"), [("taskwire gateway", False), ("pg_dump", True), ("", True)])
async def test_only_an_idle_transaction_of_ours_is_a_fault(database_url, monkeypatch, name, is_warning) -> None:
    monkeypatch.setattr(audit_premises, "IDLE_SECONDS_MAX", 0)
    other = await asyncpg.connect(database_url, server_settings={"application_name": name})
    try:
        await other.execute("BEGIN")
        async with AuditConnection.open(database_url) as connection:
            (flaw,) = await audit_connections(connection)
    finally:
        await other.close()

    assert (flaw.check, flaw.is_warning) == (Check.CONNECTIONS, is_warning)


async def test_too_few_spare_connections_are_a_warning(database_url, monkeypatch) -> None:
    monkeypatch.setattr(audit_premises, "CONNECTIONS_SHARE_MAX", 0.0)
    async with AuditConnection.open(database_url) as connection:
        (flaw,) = await audit_connections(connection)

    assert flaw.check == Check.CONNECTIONS
    assert flaw.is_warning

import pytest

from taskwire_shared.domain.ids import new_id
from taskwire_shared.store import audit_keys
from taskwire_shared.store.audit_connection import AuditConnection
from taskwire_shared.store.audit_keys import KeyPage, audit_key_page


@pytest.mark.parametrize("page", [1, 3, 7, 8])
async def test_every_key_is_looked_at_once_however_the_pages_fall(db, database_url, monkeypatch, page) -> None:
    monkeypatch.setattr(audit_keys, "PAGE_KEYS", page)
    for number in range(7):
        await db.execute(
            "INSERT INTO idempotency_keys (tenant, queue, key, task_id, request_hash) VALUES ($1, $2, $3, $4, '')",
            *(f"t{number % 2}", f"q{number % 3}", f"k{number}", new_id()),
        )
    keys = flaws = 0
    after: KeyPage | None = KeyPage()
    async with AuditConnection.open(database_url) as connection:
        while after is not None:
            audited = await audit_key_page(connection, after, 1)
            keys += audited.keys
            flaws += sum(kind.count for kind in audited.flaws)
            after = audited.next_page

    # Their tasks have never been there.
    assert (keys, flaws) == (7, 7)

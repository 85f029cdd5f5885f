"""Every idempotency key held against the task that it names."""

from datetime import UTC, datetime

from msgspec import Struct, structs

from taskwire_shared.domain.audit import Check, Flaws
from taskwire_shared.store.audit_connection import AuditConnection
from taskwire_shared.store.audit_histories import to_flaws
from taskwire_shared.store.creations import KEY_HOURS

PAGE_KEYS = 20_000
"""In one statement."""

_SUBJECT = "format('%s/%s/%s', k.tenant, k.queue, k.key)"

# In the order of their creation, in which their tasks are neighbours, too. A key whose task is gone may be old; a young
# one may not, since the youngest task that can be gone is older.
AUDIT_KEYS = f"""
WITH page AS MATERIALIZED (
    SELECT k.*, row_number() OVER () AS number FROM (
        SELECT * FROM idempotency_keys k WHERE (k.created_at, k.tenant, k.queue, k.key) > ($1, $2, $3, $4)
        ORDER BY k.created_at, k.tenant, k.queue, k.key LIMIT $5
    ) AS k
), flawed AS (
    SELECT {_SUBJECT} AS id, count(*) OVER () AS count, CASE
        WHEN t.id IS NULL THEN 'its task is gone: ' || k.task_id
        ELSE 'its task has other content: ' || k.task_id END AS detail
    FROM page k LEFT JOIN LATERAL (SELECT * FROM tasks WHERE tasks.id = k.task_id LIMIT 1) AS t ON true
    WHERE CASE WHEN t.id IS NULL THEN k.created_at > now() - interval '{KEY_HOURS} hours'
        ELSE (t.tenant, t.queue, t.request_hash) <> (k.tenant, k.queue, k.request_hash) END
)
(
    SELECT NULL AS name, NULL AS id, NULL AS detail, number AS count, created_at, tenant, queue, key
    FROM page ORDER BY number DESC LIMIT 1
) UNION ALL (
    SELECT '{Check.KEYS}', id, detail, count, NULL, NULL, NULL, NULL FROM flawed LIMIT $6
)
"""
_WITHOUT_INDEXES = """
SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off;
SET LOCAL enable_bitmapscan = off
"""
# What two rows of one key have in common is that the index has not seen it: a library of the system that sorts
# differently since its last upgrade is enough.
REPEATED_KEYS = f"""
SELECT '{Check.KEYS}' AS name, {_SUBJECT} AS id, format('it is there %s times', count(*)) AS detail,
    count(*) OVER () AS count
FROM idempotency_keys k GROUP BY k.tenant, k.queue, k.key HAVING count(*) > 1 LIMIT $1
"""


class KeyPage(Struct, frozen=True):
    """Where a page of keys begins: behind this one."""

    created_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    tenant: str = ""
    queue: str = ""
    key: str = ""


class AuditedKeys(Struct, frozen=True):
    """What was found in a page of keys."""

    flaws: list[Flaws]
    keys: int
    next_page: KeyPage | None
    """None behind the last."""


async def audit_key_page(connection: AuditConnection, page: KeyPage, shown: int) -> AuditedKeys:
    """Return what is wrong with the keys of a page, up to `shown` of them."""
    rows = await connection.fetch(AUDIT_KEYS, *structs.astuple(page), PAGE_KEYS, shown)
    flaws = to_flaws([row for row in rows if row["name"] is not None])
    for last in rows:
        if last["name"] is None:
            after = KeyPage(last["created_at"], last["tenant"], last["queue"], last["key"])
            return AuditedKeys(flaws, last["count"], after if last["count"] == PAGE_KEYS else None)
    return AuditedKeys([], 0, None)


async def repeated_keys(connection: AuditConnection, shown: int) -> list[Flaws]:
    """Return the keys that are there more than once, looked for without any index."""
    async with connection.look(_WITHOUT_INDEXES):
        return to_flaws(await connection.fetch(REPEATED_KEYS, shown))

"""Every idempotency key held against the task that it names."""

from msgspec import Struct

from taskwire_shared.domain.audit import Check, Flaws
from taskwire_shared.store.audit_connection import AuditConnection
from taskwire_shared.store.audit_histories import to_flaws
from taskwire_shared.store.creations import KEY_HOURS

PAGE_KEYS = 20_000
"""In one statement."""

_SUBJECT = "format('%s/%s/%s', k.tenant, k.queue, k.key)"

# A key whose task is gone may be old; a young one may not, since the youngest task that can be gone is older.
AUDIT_KEYS = f"""
WITH page AS MATERIALIZED (
    SELECT k.* FROM idempotency_keys k WHERE (k.tenant, k.queue, k.key) > ($1, $2, $3)
    ORDER BY k.tenant, k.queue, k.key LIMIT $4
), flawed AS (
    SELECT {_SUBJECT} AS id, CASE
        WHEN t.id IS NULL THEN 'its task is gone: ' || k.task_id
        ELSE 'its task has other content: ' || k.task_id END AS detail
    FROM page k LEFT JOIN LATERAL (SELECT * FROM tasks WHERE tasks.id = k.task_id LIMIT 1) AS t ON true
    WHERE CASE WHEN t.id IS NULL THEN k.created_at > now() - interval '{KEY_HOURS} hours'
        ELSE (t.tenant, t.queue, t.request_hash) <> (k.tenant, k.queue, k.request_hash) END
)
SELECT '{Check.KEYS}' AS name, f.id, f.detail, count(*) OVER () AS count FROM flawed f LIMIT $5
"""
LAST_OF_PAGE = """
SELECT * FROM (
    SELECT k.tenant, k.queue, k.key, count(*) OVER () AS keys FROM (
        SELECT tenant, queue, key FROM idempotency_keys WHERE (tenant, queue, key) > ($1, $2, $3)
        ORDER BY tenant, queue, key LIMIT $4
    ) AS k
) AS page ORDER BY tenant DESC, queue DESC, key DESC LIMIT 1
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
    arguments = (page.tenant, page.queue, page.key, PAGE_KEYS)
    flaws = to_flaws(await connection.fetch(AUDIT_KEYS, *arguments, shown))
    for last in await connection.fetch(LAST_OF_PAGE, *arguments):
        after = KeyPage(last["tenant"], last["queue"], last["key"]) if last["keys"] == PAGE_KEYS else None
        return AuditedKeys(flaws, last["keys"], after)
    return AuditedKeys(flaws, 0, None)


async def repeated_keys(connection: AuditConnection, shown: int) -> list[Flaws]:
    """Return the keys that are there more than once, looked for without any index."""
    async with connection.look(_WITHOUT_INDEXES):
        return to_flaws(await connection.fetch(REPEATED_KEYS, shown))

"""What everything else stands on: days to put tasks in, valid indexes, connections."""

from taskwire_shared.domain.audit import Check, Flaw
from taskwire_shared.store.audit_connection import AuditConnection
from taskwire_shared.store.partitions import DAYS_AHEAD, DAYS_BEHIND, PARENTS, partition_name

DAYS_AHEAD_LEAST = 1
"""Fewer refuse tasks soon: ids may be minutes ahead of midnight."""
DAYS_AHEAD_USUAL = DAYS_AHEAD - 1
"""The last one is made within minutes of midnight."""
IDLE_SECONDS_MAX = 5
"""Within a transaction. Nothing of ours waits for anything but the database there."""
OUR_NAME = "taskwire"
"""How the `application_name` of each of our connections begins."""
CONNECTIONS_SHARE_MAX = 0.9

EXPECTED_DAYS = """
SELECT day::date AS day, (day::date - (now() AT TIME ZONE 'UTC')::date) AS ahead
FROM generate_series(
    (now() AT TIME ZONE 'UTC')::date - $1::integer, (now() AT TIME ZONE 'UTC')::date + $2::integer, interval '1 day'
) AS day
"""
ATTACHED = """
SELECT c.relname::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent IN ('tasks'::regclass, 'task_events'::regclass)
"""
INVALID_INDEXES = """
SELECT x.indexrelid::regclass::text AS index, x.indisunique AS is_unique
FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid
WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'tasks'::regclass)
    AND NOT (x.indisvalid AND x.indisready AND x.indislive)
ORDER BY 1
"""
OTHER_COLLATION = """
SELECT datcollversion AS made_with, pg_database_collation_actual_version(oid) AS now
FROM pg_database WHERE datname = current_database()
    AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)
"""
IDLE_IN_TRANSACTION = """
SELECT pid, application_name, extract(epoch FROM clock_timestamp() - state_change) AS seconds
FROM pg_stat_activity
WHERE datname = current_database() AND state IN ('idle in transaction', 'idle in transaction (aborted)')
    AND pid <> pg_backend_pid() AND clock_timestamp() - state_change > $1 * interval '1 second'
ORDER BY state_change
"""
CONNECTIONS = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
    current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer AS allowed
"""


async def audit_days(connection: AuditConnection) -> list[Flaw]:
    """Return the days that are missing, from yesterday on."""
    attached = {row["name"] for row in await connection.fetch(ATTACHED)}
    return [
        Flaw(Check.DAYS, name, "there is no such day", is_warning=row["ahead"] > DAYS_AHEAD_LEAST)
        for row in await connection.fetch(EXPECTED_DAYS, DAYS_BEHIND, DAYS_AHEAD_USUAL)
        for parent in PARENTS
        if (name := partition_name(parent, row["day"])) not in attached
    ]


async def audit_indexes(connection: AuditConnection) -> list[Flaw]:
    """Return the indexes that do not do their work, or may not."""
    flaws = [
        Flaw(Check.DAYS, row["index"], "the index is not valid", is_warning=not row["is_unique"])
        for row in await connection.fetch(INVALID_INDEXES)
    ]
    for row in await connection.fetch(OTHER_COLLATION):
        detail = f"texts were sorted by version {row['made_with']} of the system's library, and are now by {row['now']}"
        flaws.append(Flaw(Check.DAYS, "collation", f"{detail}: reindex the database", is_warning=True))
    return flaws


async def audit_connections(connection: AuditConnection) -> list[Flaw]:
    """Return the connections that were left within a transaction, and whether there are too many."""
    flaws = [
        Flaw(
            Check.CONNECTIONS,
            f"process {row['pid']}",
            f"{row['application_name'] or 'without a name'}: idle in a transaction for {row['seconds']:.0f} s",
            # Somebody who looks at the tables, or dumps them, keeps vacuum waiting but breaks no promise of ours.
            is_warning=not (row["application_name"] or "").startswith(OUR_NAME),
        )
        for row in await connection.fetch(IDLE_IN_TRANSACTION, IDLE_SECONDS_MAX)
    ]
    for row in await connection.fetch(CONNECTIONS):
        if row["used"] > row["allowed"] * CONNECTIONS_SHARE_MAX:
            detail = f"{row['used']} of {row['allowed']} connections are in use"
            flaws.append(Flaw(Check.CONNECTIONS, "server", detail, is_warning=True))
    return flaws

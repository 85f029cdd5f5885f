"""Finished tasks, put into the tables as if they had run before."""

from datetime import UTC, date, datetime, timedelta

import asyncpg

from taskwire_shared.domain.ids import floor_id, new_id

_CHUNK = 100_000
"""Tasks inserted by one statement."""
_STATEMENT_SECONDS = 600.0

# The bits of a UUIDv7 are its time, the version, and what is random; here the number of the row stands in for that.
_FILL = """
WITH new AS MATERIALIZED (
    SELECT (lpad(to_hex($1::bigint + n * $2::bigint / $3::bigint), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0')
            || '8' || substr(md5(n::text || $6::uuid::text), 1, 15))::uuid AS id,
        to_timestamp(($1::bigint + n * $2::bigint / $3::bigint) / 1000.0) AS at
    FROM generate_series($4::bigint, $5::bigint) AS n
), stored AS (
    INSERT INTO tasks (id, created_at, updated_at, started_at, finished_at, version, attempt, excused, state, priority,
        tenant, queue, type, request_hash, input, input_is_text, output, output_is_text, processor)
    SELECT id, at, at, at, at, 3, 1, 0, 4, 2, 'default', 'default', 'length', uuid_send(id),
        convert_to(repeat('p', 100), 'UTF8'), false, '100', true, $6
    FROM new
)
INSERT INTO task_events (task_id, at, tenant, state, version, attempt, excused, processor, started_at)
SELECT id, at, 'default', state, version, least(version - 1, 1), 0, CASE WHEN version > 1 THEN $6 END,
    CASE WHEN version > 1 THEN at END
FROM new, (VALUES (2, 1), (3, 2), (4, 3)) AS life(state, version)
"""
_SIZES = """
SELECT coalesce(sum(pg_table_size(i.inhrelid)), 0) AS tables, coalesce(sum(pg_indexes_size(i.inhrelid)), 0) AS indexes
FROM pg_inherits i WHERE i.inhparent IN ('tasks'::regclass, 'task_events'::regclass)
"""


async def fill(database_url: str, tasks: int, *, day: date | None = None) -> None:
    """Insert finished tasks with their events, spread over `day` (UTC), or over what has passed of today."""
    now = datetime.now(UTC)
    start = datetime.combine(day or now.date(), datetime.min.time(), UTC)
    end = start + timedelta(days=1) if day else now
    start_ms, span_ms = (int(moment.timestamp() * 1000) for moment in (start, end))
    processor = new_id()
    connection = await asyncpg.connect(database_url)
    try:
        for first in range(0, tasks, _CHUNK):
            last = min(first + _CHUNK, tasks) - 1
            await connection.execute(
                _FILL, start_ms, span_ms - start_ms, tasks, first, last, processor, timeout=_STATEMENT_SECONDS
            )
        # What autovacuum will have done to tasks that have been there for a while.
        await connection.execute("VACUUM (ANALYZE) tasks", timeout=_STATEMENT_SECONDS)
        await connection.execute("VACUUM (ANALYZE) task_events", timeout=_STATEMENT_SECONDS)
        await connection.execute("CHECKPOINT", timeout=_STATEMENT_SECONDS)
    finally:
        await connection.close()


async def sizes(database_url: str) -> dict[str, int]:
    """Return the bytes of the tables and of their indexes."""
    connection = await asyncpg.connect(database_url)
    try:
        row = await connection.fetchrow(_SIZES)
        return {"tables": int(row["tables"]), "indexes": int(row["indexes"])}
    finally:
        await connection.close()


async def tasks_on(database_url: str, day: date) -> int:
    """Return how many tasks have ids of `day` (UTC)."""
    midnight = datetime.combine(day, datetime.min.time(), UTC)
    connection = await asyncpg.connect(database_url)
    try:
        bounds = floor_id(midnight), floor_id(midnight + timedelta(days=1))
        return int(await connection.fetchval("SELECT count(*) FROM tasks WHERE id >= $1 AND id < $2", *bounds))
    finally:
        await connection.close()

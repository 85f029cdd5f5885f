"""Making a database at home in a server that it was not written in: after a restore from `pg_dump`.

Events carry the numbers of their transactions, and readers of the feed go by them. Every server counts for itself, so
that in another one old events may seem to be still to come, for ever, while new ones seem old. A restore of the files
of a server (a base backup, a snapshot, a promoted standby) keeps its count and needs nothing of this.
"""

import asyncpg

from taskwire_shared.store.database import Database

ADOPTION_SECONDS = 6 * 3600.0
"""For numbering all events anew, about 10 us each."""

IS_FOREIGN = """
SELECT feed_floor > here.xmax OR coalesce((SELECT xid FROM task_events ORDER BY xid DESC LIMIT 1) >= here.xmax, false)
FROM installation, (SELECT pg_snapshot_xmax(pg_current_snapshot()) AS xmax) AS here
FOR UPDATE OF installation
"""

# All numbers are pressed together below those of this server, and stay in order.
RENUMBER = """
UPDATE task_events SET xid = div(
    xid::text::numeric * (pg_snapshot_xmin(pg_current_snapshot())::text::numeric - 1), newest.number
)::text::xid8
FROM (SELECT xid::text::numeric AS number FROM task_events ORDER BY task_events.xid DESC LIMIT 1) AS newest
"""
BE_ANOTHER = "UPDATE installation SET incarnation = gen_random_uuid(), feed_floor = '0'::xid8"


async def adopt_history(db: Database) -> bool:
    """Number the events anew where they come from another server, and tell whether they did.

    Positions of readers from before are refused afterwards. Raises BackendUnavailable when the server does not answer.
    """

    async def unit(connection: asyncpg.Connection) -> bool:
        async with connection.transaction():
            if not await connection.fetchval(IS_FOREIGN):
                return False
            await connection.execute("SET LOCAL statement_timeout = 0")
            await connection.execute(RENUMBER, timeout=ADOPTION_SECONDS)
            await connection.execute(BE_ANOTHER)
            return True

    return await db.run(unit)

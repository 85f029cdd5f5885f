"""S5: a reader goes on behind the highest sequence number that it has seen."""

from typing import Any

from taskwire_chaos.planted.replacing import replace


def plant() -> None:
    """See the module."""
    from taskwire_shared.store import events
    from taskwire_shared.store.positions import Position

    since = f"""
    SELECT e.seq, {events._THEN} FROM task_events e JOIN tasks t ON t.id = e.task_id
    WHERE e.seq > $1 ORDER BY e.seq LIMIT $2
    """

    async def read(db: Any, statement: str, position: Any, limit: int, incarnation: str, convert: Any) -> Any:
        del statement, incarnation
        rows = await db.fetch(since, position.xmax, limit)
        seen = rows[-1]["seq"] if rows else position.xmax
        numbers = [row["seq"] for row in rows]
        return events.FeedPage([convert(row) for row in rows], numbers, Position(seen), len(rows) < limit)

    async def current(db: Any, incarnation: str) -> Any:
        del incarnation
        return Position(await db.fetchval("SELECT coalesce(max(seq), 0) FROM task_events"))

    replace(events, "_read", lambda _: read)
    replace(events, "current_position", lambda _: current)

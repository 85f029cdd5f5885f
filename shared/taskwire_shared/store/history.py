"""The fragment by which each statement that changes tasks writes the events of these changes."""

_COLUMNS = (
    "tenant, state, version, attempt, excused, processor, failure, last_failure, schedule_at, started_at,"
    " cancel_requested_at"
)
CHANGED_COLUMNS = ", ".join(f"t.{name.strip()}" for name in ("id", "updated_at", *_COLUMNS.split(",")))
"""What the `changed` CTE of a statement returns, from a table called `t`."""
NOTE_CHANGES = f"INSERT INTO task_events (task_id, at, {_COLUMNS}) SELECT id, updated_at, {_COLUMNS} FROM changed"
"""One event per row of the CTE `changed`. Since a change locks its row first, `seq` grows with `version`."""

"""The fragments that the statements share by which tasks change."""

_COLUMNS = (
    "tenant, state, version, attempt, excused, processor, failure, last_failure, schedule_at, started_at,"
    " cancel_requested_at"
)
CHANGED_COLUMNS = ", ".join(f"t.{name.strip()}" for name in ("id", "updated_at", *_COLUMNS.split(",")))
"""What the `changed` CTE of a statement returns, from a table called `t`."""
NOTE_CHANGES = f"INSERT INTO task_events (task_id, at, {_COLUMNS}) SELECT id, updated_at, {_COLUMNS} FROM changed"
"""One event per row of the CTE `changed`. Since a change locks its row first, `seq` grows with `version`."""

NOW = "greatest(statement_timestamp(), t.updated_at)"
"""The time of a change. A statement that has waited for a row began before that row's last change, and a clock may be
set back; the times of a task's versions never run backwards."""

STATE = "(t.state + 0)"
"""The state, hidden from the planner where rows are to be found by their id.

On stale statistics it believes that few rows are RUNNING, and reads all of them by `tasks_running` instead of the 500
that it was given: 100 us a task instead of 17 with 40,000 running ones."""


def few(alias: str) -> str:
    """Return a condition that always holds and makes the planner expect one row of the unnest `alias`.

    It begins with these rows then and finds each task by its primary key, in their order: that is what makes an UPDATE
    without a lock before it safe from deadlocks. Left to guess, it may read all tasks and look through the rows for
    each.
    """
    return f"({alias}.n, {alias}.n) = ({alias}.n + 0, {alias}.n - 0)"

"""The fragments that the statements share by which tasks change."""

EVENT_COLUMNS = (
    "tenant",
    "state",
    "version",
    "attempt",
    "excused",
    "processor",
    "failure",
    "last_failure",
    "schedule_at",
    "started_at",
    "cancel_requested_at",
)
"""What an event keeps of its task, under the same names."""
_COLUMNS = ", ".join(EVENT_COLUMNS)
CHANGED_COLUMNS = ", ".join(f"t.{name}" for name in ("id", "updated_at", *EVENT_COLUMNS))
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


def found_by_id(alias: str) -> str:
    """Return the condition that joins a task to the row of `alias` that names it.

    It leaves the planner one way: take these rows one after the other and find each task by its primary key, which is
    also the order in which an UPDATE locks. A plain equality leaves two more: on stale statistics, to read all tasks
    and merge; in a day that was empty when it was analyzed, to read the whole index for each row, which a cached plan
    would go on doing from midnight on. The price is less than 1 us a task.
    """
    return f"t.id = ANY (ARRAY[{alias}.id])"

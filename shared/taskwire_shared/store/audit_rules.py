"""What must not be in a history, as conditions of SQL.

In them `e` is an event, `b` the one before it, `t` the task. The columns of `b` are NULL for the first event; those of
`e` where a task has no history, those of `t` where a history has no task. A condition that is NULL is not met.
"""

from msgspec import Struct

from taskwire_shared.domain import defaults
from taskwire_shared.domain.audit import Check
from taskwire_shared.domain.outcome import ATTEMPTS_EXHAUSTED
from taskwire_shared.domain.task import TaskState
from taskwire_shared.domain.transitions import LEGAL_STEPS

FOLDED = (
    "version",
    "state",
    "attempt",
    "excused",
    "tenant",
    "processor",
    "cancel_requested_at",
    "schedule_at",
    "started_at",
    "failure",
    "last_failure",
)
"""Columns that a task and its last event have in common."""

_PAIRS = [*((f"e.{name}", f"t.{name}", name) for name in FOLDED), ("e.at", "t.updated_at", "updated_at")]
_OF_EVENT = ", ".join(of_event for of_event, _, _ in _PAIRS)
_OF_TASK = ", ".join(of_task for _, of_task, _ in _PAIRS)
_DIFFERENT = ", ".join(f"CASE WHEN {event} IS DISTINCT FROM {task} THEN '{name}' END" for event, task, name in _PAIRS)
_STEPS = ", ".join(sorted(f"{before or 0}{after:d}" for before, after in LEGAL_STEPS))
"""Two digits each; nothing is 0."""
_IS_LAST = "(e.task_id = t.id AND e.next IS NULL)"
_IS_CLAIM = "(coalesce(b.state, 0) = 2 AND e.state = 3)"
_ALLOWED = f"coalesce(t.max_attempts, {defaults.MAX_ATTEMPTS})"


def _name(state: str) -> str:
    return "(ARRAY[" + ", ".join(f"'{one.name}'" for one in TaskState) + f"])[{state}]"


class Condition(Struct, frozen=True):
    """What must not be."""

    check: Check
    sql: str
    detail: str
    """How to say it: an SQL expression."""


_VERSIONS = (
    Condition(Check.VERSIONS, "t.id IS NULL", "'a history without a task'"),
    Condition(Check.VERSIONS, "e.task_id IS NULL", "'a task without a history'"),
    Condition(
        Check.VERSIONS,
        "e.version <> coalesce(b.version, 0) + 1",
        "format('version %s comes after %s', e.version, coalesce(b.version::text, 'none'))",
    ),
    Condition(
        Check.VERSIONS,
        "b.at > e.at OR b.seq >= e.seq",
        "format('version %s is older than the one below it', e.version)",
    ),
    Condition(
        Check.VERSIONS,
        "e.xid >= (SELECT pg_snapshot_xmax(pg_current_snapshot()))",
        "format('version %s was numbered by another server: run taskwire migrate', e.version)",
    ),
    Condition(
        Check.VERSIONS,
        f"{_IS_LAST} AND ROW({_OF_EVENT}) IS DISTINCT FROM ROW({_OF_TASK})",
        f"format('the row is not its last version, %s, in %s', e.version, concat_ws(', ', {_DIFFERENT}))",
    ),
)
_ENDS_AND_STEPS = (
    Condition(
        Check.FINALS,
        "e.state >= 4 AND e.next IS NOT NULL",
        f"format('version %s is %s, and version %s follows', e.version, {_name('e.state')}, e.next)",
    ),
    Condition(
        Check.FINALS,
        f"{_IS_LAST} AND t.finished_at IS DISTINCT FROM CASE WHEN e.state >= 4 THEN e.at END",
        "'the time of its end is not that of its last version'",
    ),
    Condition(
        Check.STEPS,
        f"coalesce(b.state, 0) * 10 + e.state NOT IN ({_STEPS})",
        f"format('from %s to %s in version %s', coalesce({_name('b.state')}, 'nothing'), {_name('e.state')},"
        " e.version)",
    ),
)
_FENCES = (
    Condition(
        Check.FENCES,
        f"e.attempt <> coalesce(b.attempt, 0) + CASE WHEN {_IS_CLAIM} THEN 1 ELSE 0 END",
        "format('attempt %s in version %s, after %s', e.attempt, e.version, coalesce(b.attempt, 0))",
    ),
    Condition(
        Check.FENCES,
        f"CASE WHEN {_IS_CLAIM} THEN e.processor IS NULL ELSE e.processor IS DISTINCT FROM b.processor END",
        "format('processor %s in version %s, after %s', coalesce(e.processor::text, 'none'), e.version,"
        " coalesce(b.processor::text, 'none'))",
    ),
    Condition(
        Check.LEASES,
        f"{_IS_LAST} AND t.state = 3 AND (t.processor IS NULL OR t.started_at IS NULL)",
        "'running, but held by nobody'",
    ),
)
_ATTEMPTS = (
    Condition(
        Check.ATTEMPTS,
        f"e.attempt - e.excused > {_ALLOWED}",
        f"format('%s attempts in version %s, where %s are allowed', e.attempt - e.excused, e.version, {_ALLOWED})",
    ),
    Condition(
        Check.ATTEMPTS,
        "e.excused - coalesce(b.excused, 0) NOT BETWEEN 0 AND CASE WHEN b.state = 3 AND e.state = 2 THEN 1 ELSE 0 END",
        "format('%s attempts excused in version %s, after %s', e.excused, e.version, coalesce(b.excused, 0))",
    ),
    Condition(
        Check.ATTEMPTS,
        # A handler may use the word for a failure of its own.
        f"{_IS_LAST} AND t.failure->>'reason' = '{ATTEMPTS_EXHAUSTED}' AND t.attempt - t.excused < {_ALLOWED}"
        " AND t.last_failure->>'reason' IS DISTINCT FROM t.failure->>'reason'",
        f"format('exhausted after %s of %s attempts', t.attempt - t.excused, {_ALLOWED})",
    ),
)
_CANCELS = (
    Condition(
        Check.CANCELS,
        "b.cancel_requested_at IS NOT NULL AND e.state NOT IN (4, 6)",
        f"format('%s in version %s, although a cancel was asked for before', {_name('e.state')}, e.version)",
    ),
    Condition(
        Check.CANCELS,
        "b.cancel_requested_at <> e.cancel_requested_at OR e.cancel_requested_at IS NULL AND"
        " (b.cancel_requested_at IS NOT NULL OR e.state = 6 OR b.state = 3 AND e.state = 3)",
        f"format('%s in version %s, without the request to cancel', {_name('e.state')}, e.version)",
    ),
    Condition(
        Check.CANCELS,
        "b.cancel_requested_at IS NULL AND e.cancel_requested_at IS NOT NULL"
        " AND e.state <> 6 AND (coalesce(b.state, 0) <> 3 OR e.state <> 3)",
        f"format('%s in version %s, with a request to cancel that nobody made', {_name('e.state')}, e.version)",
    ),
)
_RESULTS = (
    Condition(
        Check.RESULTS,
        "e.next IS NULL AND t.has_output AND t.state <> 4",
        f"format('%s, but with an output', {_name('t.state')})",
    ),
    Condition(
        Check.RESULTS,
        "e.next IS NULL AND (t.failure IS NOT NULL) <> (t.state = 5)",
        f"format('%s, %s a failure', {_name('t.state')},"
        " CASE WHEN t.failure IS NULL THEN 'without' ELSE 'but with' END)",
    ),
    Condition(
        Check.RESULTS,
        "(e.failure IS NOT NULL) <> (e.state = 5)",
        f"format('%s in version %s, %s a failure', {_name('e.state')}, e.version,"
        " CASE WHEN e.failure IS NULL THEN 'without' ELSE 'but with' END)",
    ),
)
_REST = (
    Condition(Check.TENANTS, "e.tenant <> t.tenant", "format('version %s belongs to another tenant', e.version)"),
    Condition(
        Check.DEBTS,
        "e.next IS NULL AND CASE t.state"
        " WHEN 1 THEN t.due_at IS NULL OR t.due_at <> least(t.schedule_at, t.expire_at)"
        " WHEN 2 THEN t.due_at IS DISTINCT FROM t.expire_at"
        " WHEN 3 THEN (t.due_at IS NULL) <> (t.attempt_timeout_ms IS NULL)"
        " ELSE t.due_at IS NOT NULL END",
        f"format('%s, and due %s', {_name('t.state')}, coalesce('at ' || t.due_at, 'never'))",
    ),
)

CONDITIONS = (*_VERSIONS, *_ENDS_AND_STEPS, *_FENCES, *_ATTEMPTS, *_CANCELS, *_RESULTS, *_REST)

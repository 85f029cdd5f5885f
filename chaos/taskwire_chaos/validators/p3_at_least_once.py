"""P3: what was accepted runs, and nothing else does."""

from collections.abc import Iterator

from taskwire_chaos.history import CANCELLED, FAILED, FINAL, RUNNING, SUCCEEDED, History
from taskwire_shared.domain.outcome import ATTEMPTS_EXHAUSTED, EXPIRED

_POISON_REASONS = frozenset({"RESULT_INVALID", ATTEMPTS_EXHAUSTED})


def check(history: History) -> Iterator[str]:
    """Give every task without an end, every success without a run, and every run or ring without a task."""
    ledger, kinds = history.ledger(), history.kinds()
    cancelled = {task for call, _ in history.calls("cancel") for task in call.tasks}
    for task in history.books.tasks.values():
        ran = {(one.attempt, one.what) for one in ledger.get(task.id, ())}
        if task.state not in FINAL:
            yield f"task {task.id} has not ended: state {task.state}, attempt {task.attempt}"
        if task.state == SUCCEEDED and not {(task.attempt, "start"), (task.attempt, "end")} <= ran:
            yield f"task {task.id} has succeeded with attempt {task.attempt}, which has not run to its end"
        if task.state == CANCELLED and task.id not in cancelled:
            yield f"task {task.id} is cancelled and nobody has asked for it"
        if task.state == FAILED and not _may_fail(task.failure, kinds.get(task.id, "")):
            yield f"task {task.id} of the kind {kinds.get(task.id)} has failed with {task.failure}"
    yield from _unfounded(history)


def _may_fail(reason: str | None, kind: str) -> bool:
    """Tell whether a task may end so: poison may, what expires may, and what lost its processor too often."""
    if reason == EXPIRED:
        return kind == "expiring"
    return reason == ATTEMPTS_EXHAUSTED or (kind == "unstorable" and reason in _POISON_REASONS)


def _unfounded(history: History) -> Iterator[str]:
    events = history.books.events
    for task_id, runs in history.ledger().items():
        claimed = {event.attempt for event in events.get(task_id, ()) if event.state == RUNNING}
        for attempt in {run.attempt for run in runs} - claimed:
            yield f"attempt {attempt} of task {task_id} has run and was never claimed"
    for task_id in history.rung() - history.books.tasks.keys():
        yield f"task {task_id} was rung for and was never stored"

"""P8: no task uses more attempts than it may, and poison ends."""

from collections.abc import Iterator

from taskwire_chaos.history import CANCELLED, FAILED, History
from taskwire_chaos.load.kinds import POISON
from taskwire_shared.domain import defaults
from taskwire_shared.domain.outcome import ATTEMPTS_EXHAUSTED


def check(history: History) -> Iterator[str]:
    """Give every task that was tried too often, or too little before it was given up."""
    kinds, ledger = history.kinds(), history.ledger()
    for task in history.books.tasks.values():
        most = task.max_attempts or defaults.MAX_ATTEMPTS
        started = {run.attempt for run in ledger.get(task.id, ())}
        if task.attempt - task.excused > most or len(started) > most + task.excused:
            yield f"task {task.id} may be tried {most} times: {task.attempt} attempts, {len(started)} of them started"
        if task.failure == ATTEMPTS_EXHAUSTED and task.attempt - task.excused != most:
            yield f"task {task.id} was given up after {task.attempt - task.excused} of {most} attempts"
        if kinds.get(task.id) in POISON and task.state not in {FAILED, CANCELLED}:
            yield f"the poison {kinds[task.id]} {task.id} ended in state {task.state}"

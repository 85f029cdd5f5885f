"""Where the tasks of the demo are, as far as the watch has told."""

from collections import Counter
from collections.abc import Iterable

from taskwire.task import TaskInfo, TaskState
from taskwire_dev.demo.orders import KINDS, Order

_NAME_CHARS = max(len(kind.name) for kind in KINDS)
_COLUMNS = tuple(TaskState)[1:]
_FINAL = {TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED}


class Board:
    """The newest known version of every task."""

    def __init__(self, orders: Iterable[Order]) -> None:
        self._kinds = {order.task_id: order.kind for order in orders}
        self._versions: dict[str, int] = {}
        self._states: dict[str, TaskState] = {}
        self.changes = 0
        """Versions seen, each counted once."""
        self.gaps = 0
        """Versions that were skipped: none, if the promise holds."""

    def note(self, task: TaskInfo) -> None:
        """Take in a version of a task. One that was seen before changes nothing."""
        seen = self._versions.get(task.id, 0)
        if task.id not in self._kinds or task.version <= seen:
            return
        self.changes += 1
        self.gaps += task.version - seen - 1
        self._versions[task.id] = task.version
        self._states[task.id] = task.state

    @property
    def is_finished(self) -> bool:
        """Tell whether every task has ended."""
        return len(self._states) == len(self._kinds) and set(self._states.values()) <= _FINAL

    def has_state(self, task_id: str, state: TaskState) -> bool:
        """Tell whether a task is in `state`, as far as is known."""
        return self._states.get(task_id) is state

    def totals(self) -> Counter[TaskState]:
        """Count the tasks by state."""
        return Counter(self._states.values())

    def problems(self, stored: Iterable[TaskInfo]) -> list[str]:
        """Return what is not as it was meant, given what the store says at the end."""
        at_last = {task.id: task for task in stored}
        found = [
            problem
            for task_id, kind in self._kinds.items()
            if (problem := self._problem(task_id, kind.ends, at_last.get(task_id)))
        ]
        return found + ([f"{self.gaps} changes were not seen by the watch"] if self.gaps else [])

    def _problem(self, task_id: str, meant: TaskState, stored: TaskInfo | None) -> str | None:
        kind = self._kinds[task_id].name
        if stored is None:
            return f"{task_id} ({kind}) is not listed"
        if stored.state is not meant:
            return f"{task_id} ({kind}) is {stored.state.name} instead of {meant.name}"
        if self._versions.get(task_id) != stored.version:
            return f"{task_id} ({kind}) has version {stored.version}, the watch saw {self._versions.get(task_id, 0)}"
        return None

    def table(self, seconds: float) -> list[str]:
        """Return the tasks by kind and state, as lines of the same number each time."""
        head = f"{seconds:>{_NAME_CHARS - 2}.1f} s " + "".join(f"{state.name.lower():>11}" for state in _COLUMNS)
        counts = Counter((self._kinds[task_id].name, state) for task_id, state in self._states.items())
        rows = [_row(kind.name, [counts[kind.name, state] for state in _COLUMNS]) for kind in KINDS]
        totals = self.totals()
        return [head, *rows, _row("all", [totals[state] for state in _COLUMNS])]

    def line(self, seconds: float) -> str:
        """Return the totals in one line."""
        totals = self.totals()
        return f"{seconds:5.1f} s  " + "  ".join(f"{state.name.lower()} {totals[state]}" for state in _COLUMNS)


def _row(name: str, numbers: list[int]) -> str:
    return f"{name:<{_NAME_CHARS}} " + "".join(f"{number or '.':>11}" for number in numbers)

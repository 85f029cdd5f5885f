"""What a watching client has seen of each task: is every version there, once and in order, and how late was it?"""

import time
from typing import NamedTuple

from taskwire.v1 import task_pb2

_FAULTS_MAX = 10


class Sight(NamedTuple):
    """When a watching client saw a version, and how late."""

    at_ns: int
    delay_ms: float


class Ledger:
    """Counts the versions of tasks as they come."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.final: set[str] = set()
        self.sights: dict[str, dict[int, Sight]] = {}
        self.delay_ms: list[float] = []
        self.events = 0
        self.first_ns = 0
        self.last_ns = 0
        self.faults: list[str] = []

    @property
    def complete(self) -> int:
        """Return how many tasks have come to their end with every version in order."""
        return len(self.final)

    def note(self, task: task_pb2.Task, *, keep_sights: bool = False) -> None:
        """Take down one version that has come just now."""
        now = time.time_ns()
        self.first_ns = self.first_ns or now
        self.last_ns = now
        self.events += 1
        delay_ms = (now - task.update_time.ToNanoseconds()) / 1e6
        self.delay_ms.append(delay_ms)
        expected = self.versions.get(task.id, 0) + 1
        if task.version != expected:
            return self.blame(f"{task.id}: version {task.version} came where {expected} was due")
        self.versions[task.id] = expected
        if keep_sights:
            self.sights.setdefault(task.id, {})[task.state] = Sight(now, delay_ms)
        if task.done:
            self.final.add(task.id)
        return None

    def blame(self, fault: str) -> None:
        """Take down what is wrong."""
        if len(self.faults) < _FAULTS_MAX:
            self.faults.append(fault)

"""What a watching client has seen of each task: is every version there, once and in order, and how late was it?"""

import time
from typing import NamedTuple

from taskwire.v1 import task_pb2
from taskwire_bench.load.reports import Second
from taskwire_bench.spread import percentile

_FAULTS_MAX = 10
_DELAYS_MAX = 1_000_000
"""Kept one by one, about 30 MB. Longer runs are summed up by second."""


class Sight(NamedTuple):
    """When a watching client saw a version, and how late."""

    at_ns: int
    delay_ms: float


class Ledger:
    """Counts the versions of tasks as they come."""

    def __init__(self, *, keep_sights: bool = False) -> None:
        self._keep_sights = keep_sights
        self._versions: dict[str, int] = {}
        self._this_second: list[float] = []
        self.sights: dict[str, dict[int, Sight]] = {}
        self.delay_ms: list[float] = []
        self.seconds: list[Second] = []
        self.complete = 0
        """How many tasks have come to their end with every version in order."""
        self.events = 0
        self.first_ns = 0
        self.last_ns = 0
        self.faults: list[str] = []

    def note(self, task: task_pb2.Task) -> bool:
        """Take down one version that has come just now. Return whether it ends its task as it should."""
        now = time.time_ns()
        self._turn_second(now)
        delay_ms = (now - task.update_time.ToNanoseconds()) / 1e6
        self._this_second.append(delay_ms)
        if self.events < _DELAYS_MAX:
            self.delay_ms.append(delay_ms)
        self.events += 1
        self.last_ns = now
        expected = self._versions.pop(task.id, 0) + 1
        if task.version != expected:
            self.blame(f"{task.id}: version {task.version} came where {expected} was due")
            return False
        if self._keep_sights:
            self.sights.setdefault(task.id, {})[task.state] = Sight(now, delay_ms)
        if task.done:
            # Forgotten: were it to come again, it would be out of order.
            self.complete += 1
        else:
            self._versions[task.id] = expected
        return task.done

    def blame(self, fault: str) -> None:
        """Take down what is wrong."""
        if len(self.faults) < _FAULTS_MAX:
            self.faults.append(fault)

    def _turn_second(self, now: int) -> None:
        self.first_ns = self.first_ns or now
        if self._this_second and now // 10**9 != self.last_ns // 10**9:
            self.seconds.append(
                Second(
                    at=self.last_ns // 10**9,
                    events=len(self._this_second),
                    p50_ms=percentile(self._this_second, 0.5),
                    p99_ms=percentile(self._this_second, 0.99),
                    complete=self.complete,
                )
            )
            self._this_second = []

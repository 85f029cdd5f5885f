"""What is refused before it is accepted: tasks for queues that are full, and queues beyond what a tenant may have.

Queues are judged by a count, plus what this gateway has let in since: good enough for a limit that only keeps a mistake
from filling the disk. A count is a few seconds old, or older where counting takes long. It does not see then what has
ended since, so estimates in between may lower what it says, and never raise it: of two mistakes, to let in too much for
a while is the lesser.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence

from taskwire_gateway.violations import Violations
from taskwire_shared.domain import limits
from taskwire_shared.domain.errors import BackendUnavailable, QueueFull
from taskwire_shared.domain.task import NewTask, TaskState
from taskwire_shared.store import queues
from taskwire_shared.store.database import STATEMENT_SECONDS, Database
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event
from taskwire_shared.telemetry.metrics import GatewayMetrics

SAMPLE_SECONDS = 5.0
COUNT_SECONDS = 0.1
"""What cannot be counted in this time is estimated: a million tasks wait then, or have run beside an open transaction
of somebody's."""
COUNT_AGAIN_SECONDS = 30.0
"""After a count that was cut off: it kept a core of the server busy for nothing, while tasks waited for it."""
COUNT_PART = 0.05
"""Of the time should go into counts at most: one that takes a second is made every twenty. In a queue that stays nearly
full beside a transaction of hours, a count steps over all that has ended, a million entries in a second."""
SUSPECT_PART = 0.5
"""Of what a queue may hold: an estimate of more asks for a count. One sampled page stands for thousands of tasks where
the tables are large, so that an estimate alone may be wrong by half of a million."""
KNOWN_QUEUES_MAX = 100_000
"""Names remembered per process, about 10 MB."""

_SAMPLED_STATES = (TaskState.SCHEDULED, TaskState.PENDING, TaskState.RUNNING)

_log = logs.get(__name__)

QueueName = tuple[str, str]
"""Tenant and name."""


class Admission:
    """Knows how full the queues are, roughly."""

    def __init__(
        self,
        db: Database,
        metrics: GatewayMetrics,
        *,
        queue_depth_max: int = limits.QUEUE_DEPTH_MAX,
        queues_max: int = limits.QUEUES_PER_TENANT_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take a clock whose seconds only go forward."""
        self._db = db
        self._metrics = metrics
        self._queue_depth_max = queue_depth_max
        self._queues_max = queues_max
        self._clock = clock
        self._waiting: Counter[QueueName] = Counter()
        """By the last count, plus what was let in since, or less where estimates say so."""
        self._known_queues: set[QueueName] = set()
        self._is_doubted = False
        """Whether there was a refusal since the last count."""
        self._count_at = 0.0
        """When counting may be tried again, by the clock."""

    async def admit(self, tasks: Sequence[NewTask]) -> None:
        """Let `tasks` in, all of one tenant, or raise.

        Raises:
            QueueFull: One of their queues holds as many waiting tasks as it may.
            InvalidFields: They would open more queues than a tenant may have.
            BackendUnavailable: Whether a new queue may be opened cannot be told.
        """
        first = (tasks[0].tenant, tasks[0].queue)
        # Counting costs more than all the rest of a single create's admission.
        wanted = {first: 1} if len(tasks) == 1 else Counter([(task.tenant, task.queue) for task in tasks])
        if not self._known_queues.issuperset(wanted):
            await self._admit_queues(tasks, [name for name in wanted if name not in self._known_queues])
        for name, count in wanted.items():
            if self._waiting[name] + count > self._queue_depth_max:
                # Since the count, tasks have been let in and not let go: another count says more.
                self._is_doubted = True
                raise QueueFull(name[1], self._queue_depth_max)
        for name, count in wanted.items():
            self._waiting[name] += count

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            try:
                await self.sample()
            except BackendUnavailable as error:
                _log.warning(Event.DEPTHS_FAILED, cause=repr(error.__cause__))
            await asyncio.sleep(SAMPLE_SECONDS)

    async def sample(self) -> None:
        """Count once what waits, or estimate it where that takes long, and count however long it takes if in doubt.

        Raises:
            BackendUnavailable: The values before stay in use.
        """
        may_count = self._clock() >= self._count_at
        is_doubted = self._is_doubted
        if may_count and await self._count(STATEMENT_SECONDS if is_doubted else COUNT_SECONDS):
            return
        is_suspect = await self._estimate()
        if may_count and is_suspect and not is_doubted:
            await self._count(STATEMENT_SECONDS)

    async def _count(self, seconds: float) -> bool:
        """Take a count for what waits, or return False where it takes more than `seconds`."""
        before, began = self._waiting.copy(), self._clock()
        self._is_doubted = False
        depths = await queues.depths(self._db, seconds=seconds)
        took = self._clock() - began
        self._count_at = began + max(took / COUNT_PART, COUNT_AGAIN_SECONDS if depths is None else 0.0)
        if depths is None:
            return False
        # A long count has not seen what was let in after it began.
        self._waiting = self._show(depths) + (self._waiting - before)
        return True

    async def _estimate(self) -> bool:
        """Lower what waits to an estimate, and return whether by that a queue may be full."""
        before = self._waiting.copy()
        estimated = self._show(await queues.estimated_depths(self._db)) + (self._waiting - before)
        # The lesser of each. What has ended since the count is let go, or a queue that has run empty would stay full
        # until the next one. One estimate that is too high does no harm, and where no count succeeds for long, a queue
        # is refused only if all of them say that it is full.
        self._waiting = self._waiting & estimated
        return any(count > self._queue_depth_max * SUSPECT_PART for count in estimated.values())

    async def _admit_queues(self, tasks: Sequence[NewTask], unknown: Sequence[QueueName]) -> None:
        tenant = unknown[0][0]
        count = await queues.count_queues(self._db, tenant)
        if count + len(unknown) > self._queues_max:
            # Some may have been opened elsewhere, or before this gateway came, and are in the count.
            present = await queues.existing_queues(self._db, tenant, [name for _, name in unknown])
            absent = {(tenant, name) for _, name in unknown if name not in present}
            if count + len(absent) > self._queues_max:
                self._refuse_queues(tasks, absent)
        if len(self._known_queues) > KNOWN_QUEUES_MAX:
            self._known_queues.clear()
        self._known_queues.update(unknown)

    def _refuse_queues(self, tasks: Sequence[NewTask], absent: set[QueueName]) -> None:
        found = Violations()
        for index, task in enumerate(tasks):
            if (task.tenant, task.queue) in absent:
                path = "task.queue" if len(tasks) == 1 else f"requests[{index}].task.queue"
                found.add(path, f"must be one of the {self._queues_max} queues that there are: there can be no more")
        found.refuse()

    def _show(self, depths: Sequence[queues.Depth]) -> Counter[QueueName]:
        """Set the metric, and return how many tasks wait in each queue."""
        waiting: Counter[QueueName] = Counter()
        by_state: Counter[TaskState] = Counter()
        for depth in depths:
            by_state[depth.state] += depth.count
            if depth.state is not TaskState.RUNNING:
                waiting[depth.tenant, depth.queue] += depth.count
        for state in _SAMPLED_STATES:
            self._metrics.tasks.labels(state.name.lower()).set(by_state[state])
        return waiting

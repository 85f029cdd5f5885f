"""What is refused before it is accepted: tasks for queues that are full, and queues beyond what a tenant may have.

Queues are judged by a sample that is a few seconds old, plus what this gateway has let in since: good enough for a
limit that only keeps a mistake from filling the disk.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence

from taskwire_gateway.violations import Violations
from taskwire_shared.domain import limits
from taskwire_shared.domain.errors import BackendUnavailable, QueueFull
from taskwire_shared.domain.task import NewTask, TaskState
from taskwire_shared.store import queues
from taskwire_shared.store.database import Database
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event
from taskwire_shared.telemetry.metrics import GatewayMetrics

SAMPLE_SECONDS = 5.0
COUNT_SECONDS = 0.1
"""What cannot be counted in this time is estimated."""
COUNT_AGAIN_SECONDS = 60.0
"""After a count that took too long: a million tasks wait then, or have run beside an open transaction of somebody's."""
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
    ) -> None:
        self._db = db
        self._metrics = metrics
        self._queue_depth_max = queue_depth_max
        self._queues_max = queues_max
        self._waiting: Counter[QueueName] = Counter()
        self._known_queues: set[QueueName] = set()
        self._is_doubted = False
        """Whether the last sample has led to a refusal."""
        self._count_at = 0.0
        """When counting may be tried again, in the loop's time."""

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
                # Since the sample, tasks have been let in and not let go: another sample says more.
                self._is_doubted = True
                raise QueueFull(name[1], self._queue_depth_max)
        for name, count in wanted.items():
            self._waiting[name] += count

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            try:
                await self._sample()
            except BackendUnavailable as error:
                _log.warning(Event.DEPTHS_FAILED, cause=repr(error.__cause__))
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _sample(self) -> None:
        depths = await self._count()
        if depths is None:
            depths = await queues.estimated_depths(self._db)
        self._take(depths)

    async def _count(self) -> list[queues.Depth] | None:
        """Count, or return None where that takes too long. After a refusal it may take as long as it likes."""
        now = asyncio.get_running_loop().time()
        if self._is_doubted:
            self._is_doubted = False
            return await queues.depths(self._db)
        if now < self._count_at:
            return None
        counted = await queues.depths(self._db, seconds=COUNT_SECONDS)
        if counted is None:
            self._count_at = now + COUNT_AGAIN_SECONDS
        return counted

    async def _admit_queues(self, tasks: Sequence[NewTask], unknown: Sequence[QueueName]) -> None:
        tenant = unknown[0][0]
        if await queues.count_queues(self._db, tenant) + len(unknown) > self._queues_max:
            absent = {name for name in unknown if await queues.get_queue(self._db, *name) is None}
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

    def _take(self, depths: Sequence[queues.Depth]) -> None:
        waiting: Counter[QueueName] = Counter()
        by_state: Counter[TaskState] = Counter()
        for depth in depths:
            by_state[depth.state] += depth.count
            if depth.state is not TaskState.RUNNING:
                waiting[depth.tenant, depth.queue] += depth.count
        self._waiting = waiting
        for state in _SAMPLED_STATES:
            self._metrics.tasks.labels(state.name.lower()).set(by_state[state])

"""What is refused before it is accepted: tasks for queues that are full, and queues beyond what a tenant may have.

Queues are judged by a sample that is a few seconds old, plus what this gateway has let in since: good enough for a
limit that only keeps a mistake from filling the disk.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from taskwire_gateway.violations import Violations
from taskwire_shared.domain import limits
from taskwire_shared.domain.errors import BackendUnavailable, QueueFull
from taskwire_shared.domain.task import NewTask, TaskState
from taskwire_shared.store import queues
from taskwire_shared.store.database import Database
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event
from taskwire_shared.telemetry.metrics import GatewayMetrics
from taskwire_shared.upkeep.rounds import Spacing

SAMPLE_SECONDS = 5.0
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
        self._doubted = asyncio.Event()
        self._spacing = Spacing()

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
                self._doubted.set()
                raise QueueFull(name[1], self._queue_depth_max)
        for name, count in wanted.items():
            self._waiting[name] += count

    async def run(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            try:
                await self._sample()
            except BackendUnavailable as error:
                _log.warning(Event.DEPTHS_FAILED, cause=repr(error.__cause__))
            # Counting a million rows takes a second.
            await self._rest(self._spacing.pause(SAMPLE_SECONDS, loop.time() - started))

    async def _rest(self, seconds: float) -> None:
        """Wait until the next sample, shorter where the last one has led to a refusal."""
        self._doubted.clear()
        await asyncio.sleep(SAMPLE_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds - SAMPLE_SECONDS):
                await self._doubted.wait()

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

    async def _sample(self) -> None:
        waiting: Counter[QueueName] = Counter()
        by_state: Counter[TaskState] = Counter()
        for depth in await queues.depths(self._db):
            by_state[depth.state] += depth.count
            if depth.state is not TaskState.RUNNING:
                waiting[depth.tenant, depth.queue] += depth.count
        self._waiting = waiting
        for state in _SAMPLED_STATES:
            self._metrics.tasks.labels(state.name.lower()).set(by_state[state])

"""Every metric, once. `docs/events.md` explains them and is compared with this module by a test.

Counters count tasks, not calls, wherever one call can carry many; batches are counted with one `inc(n)`.
"""

from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from taskwire_shared.telemetry.followed import FollowedCounter
from taskwire_shared.telemetry.histogram import BatchHistogram

_WAIT_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
"""Seconds. An idle system starts a task 2 ms after its creation and a healthy one within 100 ms: three bounds a decade
show a change there. Above, 5 and 10 s are what recovery promises; a backlog lasts minutes to hours."""
_PROCESSING_BOUNDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400)
"""Seconds. Handlers are other people's code: from a millisecond to hours, two bounds a decade."""
_RPC_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds. A create takes 3 ms when idle; our client gives up after 10 s."""
_EVENT_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds. A change reaches a watcher in 5 to 20 ms by the bell, and within the timer's period without it."""
_BATCH_BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
"""Tasks in one statement."""


class CountingBus(Protocol):
    """A connection to NATS, as far as it is measured."""

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection."""

    dropped: int
    """Messages that were published and not sent."""


class CountingDatabase(Protocol):
    """A connection to Postgres, as far as it is measured."""

    unavailable: int
    """Units of work that were not answered."""


class CountingSweeper(Protocol):
    """A sweeper, as far as it is measured."""

    due: int
    """Tasks moved because their time had come."""
    lost: int
    """Tasks moved because their processor was gone."""


class ProcessMetrics:
    """What every service measures of itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        ProcessCollector(registry=registry)
        self.loop_lag_seconds = Gauge(
            "taskwire_loop_lag_seconds", "The longest delay of the event loop in the last 10 s", registry=registry
        )
        self.bus_connected = Gauge("taskwire_bus_connected", "1 while connected to NATS, else 0", registry=registry)
        self.bus_dropped = FollowedCounter(
            "taskwire_bus_dropped", "Messages not sent because NATS was not there or too slow", registry
        )
        self.database_unavailable = FollowedCounter(
            "taskwire_database_unavailable", "Units of work that Postgres did not answer", registry
        )
        self.swept = FollowedCounter(
            "taskwire_swept_tasks", "Tasks that the sweeper has moved on: due or lost", registry, ["reason"]
        )

    def follow(self, *, bus: CountingBus, database: CountingDatabase, sweeper: CountingSweeper) -> None:
        """Read from now on what these count, whenever the metrics are scraped."""
        self.bus_connected.set_function(lambda: float(bus.is_connected))
        self.bus_dropped.follow(lambda: bus.dropped)
        self.database_unavailable.follow(lambda: database.unavailable)
        self.swept.follow(lambda: sweeper.due, "due")
        self.swept.follow(lambda: sweeper.lost, "lost")


class GatewayMetrics(ProcessMetrics):
    """What a gateway measures."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.tasks = Gauge("taskwire_tasks", "Unfinished tasks, sampled", ["state"], registry=registry)
        self.task_get_requests = Counter("taskwire_task_get_requests", "Tasks asked for by id", registry=registry)
        self.task_create_requests = Counter(
            "taskwire_task_create_requests", "Tasks that callers asked to create", registry=registry
        )
        self.task_create_success = Counter(
            "taskwire_task_create_success", "Tasks stored, or found stored by an earlier call", registry=registry
        )
        self.task_create_failure = Counter(
            "taskwire_task_create_failure", "Tasks refused or not stored", registry=registry
        )
        self.task_cancel_requests = Counter(
            "taskwire_task_cancel_requests", "Tasks that callers asked to cancel", registry=registry
        )
        self.task_cancel_success = Counter(
            "taskwire_task_cancel_success", "Cancellations recorded or repeated", registry=registry
        )
        self.task_cancel_failure = Counter(
            "taskwire_task_cancel_failure", "Cancellations refused or failed", registry=registry
        )
        self.rpc_seconds = BatchHistogram(
            "taskwire_rpc_seconds", "Duration of unary calls", _RPC_BOUNDS, registry, ["method", "code"]
        )
        self.create_batch_tasks = BatchHistogram(
            "taskwire_create_batch_tasks", "Tasks stored by one statement", _BATCH_BOUNDS, registry
        )
        self.commit_to_event_seconds = BatchHistogram(
            "taskwire_commit_to_event_seconds", "From a change to its reading by the tailer", _EVENT_BOUNDS, registry
        )
        self.open_watches = Gauge("taskwire_open_watches", "Open watches", ["method"], registry=registry)
        self.watch_tasks_sent = Counter(
            "taskwire_watch_tasks_sent", "Versions of tasks sent to watchers", ["method"], registry=registry
        )


class ProcessorMetrics(ProcessMetrics):
    """What a processor measures."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.task_processing_seconds = BatchHistogram(
            "taskwire_task_processing_seconds", "Duration of attempts that ended", _PROCESSING_BOUNDS, registry
        )
        self.task_processing_success = Counter(
            "taskwire_task_processing_success", "Attempts that succeeded", registry=registry
        )
        self.task_processing_failure = Counter(
            "taskwire_task_processing_failure", "Attempts that failed, lost runners included", registry=registry
        )
        self.task_processing_cancelled = Counter(
            "taskwire_task_processing_cancelled", "Attempts stopped because of a cancellation", registry=registry
        )
        self.create_to_start_seconds = BatchHistogram(
            "taskwire_create_to_start_seconds",
            "From creation to the start of the first attempt",
            _WAIT_BOUNDS,
            registry,
        )
        self.create_to_complete_seconds = BatchHistogram(
            "taskwire_create_to_complete_seconds", "From creation to success", _WAIT_BOUNDS, registry
        )
        self.claimed = Counter(
            "taskwire_claimed_tasks", "Tasks claimed, by how they were found: ring or scan", ["path"], registry=registry
        )
        self.claim_batch_tasks = BatchHistogram(
            "taskwire_claim_batch_tasks", "Tasks claimed by one statement", _BATCH_BOUNDS, registry
        )
        self.handed_back = Counter("taskwire_handed_back_tasks", "Attempts given back unfinished", registry=registry)
        self.refused = Counter(
            "taskwire_refused_outcomes", "Outcomes that came too late: another attempt has the task", registry=registry
        )
        self.running = Gauge("taskwire_running_tasks", "Tasks in progress", registry=registry)
        self.slots = Gauge("taskwire_slots", "Tasks that can be in progress at once", registry=registry)
        self.runners = Gauge("taskwire_runners", "Runner processes", registry=registry)
        self.runner_deaths = Counter("taskwire_runner_deaths", "Runner processes that ended unasked", registry=registry)
        self.runner_kills = Counter(
            "taskwire_runner_kills", "Runner processes ended because a handler did not stop", registry=registry
        )
        self.lease_losses = Counter("taskwire_lease_losses", "Leases that ran out", registry=registry)

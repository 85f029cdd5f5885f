"""The names of everything that is logged. Each is a contract: dashboards and alerts look for it."""

from enum import StrEnum


class Event(StrEnum):
    """What happened. Every line of the log has exactly one of these as `event`; `docs/events.md` explains each."""

    # The process.
    PROCESS_STARTING = "process.starting"
    PROCESS_READY = "process.ready"
    PROCESS_STOPPING = "process.stopping"
    PROCESS_STOPPED = "process.stopped"
    PROCESS_FAILED = "process.failed"
    LIBRARY_LOGGED = "library.logged"
    LOOP_STALLED = "loop.stalled"

    # The database.
    DATABASE_UNREACHABLE = "database.unreachable"
    DATABASE_EMPTY = "database.empty"
    DATABASE_CONFLICT_RETRIED = "database.conflict_retried"

    # The bus.
    BUS_CONNECTED = "bus.connected"
    BUS_DISCONNECTED = "bus.disconnected"
    BUS_UNREACHABLE = "bus.unreachable"
    BUS_FAILED = "bus.failed"
    BUS_DEAF = "bus.deaf"
    RINGS_UNHEARD = "rings.unheard"
    RINGS_QUEUES_UNKNOWN = "rings.queues_unknown"

    # Upkeep, in gateways and processors.
    SWEEP_FAILED = "sweep.failed"
    TASKS_TAKEN_BACK = "tasks.taken_back"
    PARTITIONS_MADE = "partitions.made"
    PARTITION_DROPPED = "partition.dropped"
    UPKEEP_FAILED = "upkeep.failed"

    # The gateway.
    LISTENING_INSECURELY = "gateway.listening_insecurely"
    HEALTH_CHANGED = "gateway.health_changed"
    RPC_FAILED = "rpc.failed"
    CREATE_REPLAYED = "create.replayed"
    DEPTHS_FAILED = "depths.failed"
    TAILER_FAILED = "tailer.failed"
    TAILER_RECOVERED = "tailer.recovered"

    # The processor.
    PROCESSOR_REGISTERED = "processor.registered"
    LEASE_RENEWAL_FAILED = "lease.renewal_failed"
    LEASE_LOST = "lease.lost"
    CLAIM_FAILED = "claim.failed"
    CLAIMS_HANDED_BACK = "claims.handed_back"
    HOLDINGS_UNREAD = "holdings.unread"
    ATTEMPT_CANCELLED = "attempt.cancelled"
    ATTEMPT_TIMED_OUT = "attempt.timed_out"
    ATTEMPT_LOST = "attempt.lost"
    HANDLER_RAISED = "handler.raised"
    COMPLETION_FAILED = "completion.failed"
    COMPLETION_REFUSED = "completion.refused"
    RUNNER_STARTED = "runner.started"
    RUNNER_KILLED = "runner.killed"
    RUNNER_DIED = "runner.died"
    DRAIN_STARTED = "drain.started"
    DRAIN_FINISHED = "drain.finished"

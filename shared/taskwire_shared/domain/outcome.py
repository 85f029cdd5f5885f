"""How an attempt ended: a closed set of outcomes, each of which the completer turns into one transition."""

from uuid import UUID

from msgspec import Struct

from taskwire_shared.domain.task import Failure, Payload

EXPIRED = "EXPIRED"
ATTEMPT_TIMED_OUT = "ATTEMPT_TIMED_OUT"
WORKER_LOST = "WORKER_LOST"
ATTEMPTS_EXHAUSTED = "ATTEMPTS_EXHAUSTED"


class Fence(Struct, frozen=True, gc=False):
    """The claim that an outcome belongs to. Another attempt's outcome is refused."""

    task_id: UUID
    attempt: int


class Succeeded(Struct, frozen=True, gc=False):
    """The handler returned."""

    fence: Fence
    output: Payload | None


class Failed(Struct, frozen=True):
    """The attempt failed. With `retry_in_seconds` None the task fails for good, or else it is tried again then."""

    fence: Fence
    failure: Failure
    """Why this attempt failed: the task's `last_failure`."""
    final_failure: Failure | None = None
    """Why the task fails for good. Set exactly when `retry_in_seconds` is None."""
    retry_in_seconds: float | None = None


class Stopped(Struct, frozen=True):
    """The handler was stopped because cancellation had been asked for."""

    fence: Fence


class HandedBack(Struct, frozen=True):
    """The handler did not get to the end through no fault of the task; the attempt is excused."""

    fence: Fence


class RunnerLost(Struct, frozen=True):
    """The process that ran the handler died. The attempt counts, and the next one gets a runner to itself."""

    fence: Fence
    failure: Failure


Outcome = Succeeded | Failed | Stopped | HandedBack | RunnerLost

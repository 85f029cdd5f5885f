"""What becomes of a task after an attempt: retry it, fail it for good, hand it back."""

from random import Random

from taskwire_processor.held import Held, StopReason
from taskwire_processor.runner import wire
from taskwire_shared.domain.limits import DURATION_SECONDS_MAX
from taskwire_shared.domain.outcome import (
    ATTEMPT_TIMED_OUT,
    WORKER_LOST,
    Failed,
    HandedBack,
    Outcome,
    RunnerLost,
    Stopped,
    Succeeded,
)
from taskwire_shared.domain.retry import backoff_seconds
from taskwire_shared.domain.task import Failure, Payload


class Judge:
    """Turns what happened to an attempt into its outcome. None where nothing is to be stored."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def ended(self, held: Held, ended: wire.Ended) -> Outcome | None:
        """Judge what the handler said."""
        if isinstance(ended, wire.Returned) and held.stop is not StopReason.LOST:
            return Succeeded(held.fence, _payload(ended))
        if held.stop is StopReason.TIMED_OUT and isinstance(ended, wire.Unwound) and not ended.has_begun:
            # No thread was free for it in all that time: not its fault.
            return HandedBack(held.fence)
        if held.stop is not None:
            return self._stopped(held, held.stop)
        if not isinstance(ended, wire.Raised):
            # Only who was told to stop unwinds. Should one do so unasked, it did not get to its end.
            return HandedBack(held.fence)
        failure = Failure(ended.reason, ended.message, ended.metadata)
        return self._failed(held, failure, retryable=ended.retryable, retry_after=ended.retry_after)

    def stopped(self, held: Held) -> Outcome | None:
        """Judge an attempt that was ended by force, by itself or beside one that had to be."""
        return HandedBack(held.fence) if held.stop is None else self._stopped(held, held.stop)

    def runner_died(self, held: Held, exit_code: int) -> Outcome | None:
        """Judge an attempt whose process died by itself; `exit_code` is minus the signal where one killed it."""
        if held.stop is not None:
            return self._stopped(held, held.stop)
        message = f"The process that ran the handler died ({_describe(exit_code)})."
        return RunnerLost(held.fence, Failure(WORKER_LOST, message, {"exit_code": str(exit_code)}))

    def _stopped(self, held: Held, reason: StopReason) -> Outcome | None:
        match reason:
            case StopReason.LOST:
                return None
            case StopReason.CANCELLED:
                return Stopped(held.fence)
            case StopReason.DRAINED:
                return HandedBack(held.fence)
            case StopReason.TIMED_OUT:
                return self._failed(held, _timed_out(held))

    # Whether attempts or time are left for another one is decided where the task is locked, by the store.
    def _failed(
        self, held: Held, failure: Failure, *, retryable: bool = True, retry_after: float | None = None
    ) -> Failed:
        task = held.task
        if not retryable:
            return Failed(held.fence, failure, final_failure=failure)
        if retry_after is None:
            pause = backoff_seconds(task.retry_policy, task.attempt_count, self._random)
        else:
            pause = min(retry_after, DURATION_SECONDS_MAX)
        return Failed(held.fence, failure, retry_in_seconds=pause)


def _payload(returned: wire.Returned) -> Payload | None:
    if returned.output is None:
        return None
    return Payload(returned.output, returned.is_text, returned.content_type)


def _timed_out(held: Held) -> Failure:
    limit_ms = held.task.retry_policy.attempt_timeout_ms or 0
    return Failure(ATTEMPT_TIMED_OUT, f"The attempt did not end within {limit_ms / 1000:g} s.")


def _describe(exit_code: int) -> str:
    return f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"

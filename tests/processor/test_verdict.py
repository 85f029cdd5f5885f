"""What becomes of an attempt."""

from datetime import UTC, datetime
from random import Random

import pytest

from taskwire_processor.held import Held, StopReason
from taskwire_processor.runner import wire
from taskwire_processor.verdict import Judge
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import Failed, HandedBack, RunnerLost, Stopped, Succeeded
from taskwire_shared.domain.task import ClaimedTask, Failure, Payload, RetryPolicy

MOMENT = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
RETURNED = wire.Returned(1, b"x", is_text=True, content_type="")
RAISED = wire.Raised(1, "WHY", "because", {"a": "b"}, retryable=True, retry_after=None)


def _held(stop: StopReason | None = None, attempt: int = 1) -> Held:
    task = ClaimedTask(
        id=new_id(),
        attempt=attempt,
        excused=0,
        queue="default",
        type="echo",
        input=None,
        retry_policy=RetryPolicy(attempt_timeout_ms=1500, initial_backoff_ms=1000),
        created_at=MOMENT,
        started_at=MOMENT,
        runs_alone=False,
    )
    held = Held.of(1, task, 0.0)
    held.stop = stop
    return held


@pytest.fixture
def judge() -> Judge:
    return Judge(Random(1))


def test_success_counts_whatever_was_asked_for_meanwhile(judge: Judge) -> None:
    for stop in (None, StopReason.CANCELLED, StopReason.TIMED_OUT, StopReason.DRAINED):
        held = _held(stop)
        assert judge.ended(held, RETURNED) == Succeeded(held.fence, Payload(b"x", is_text=True))
    assert judge.ended(_held(StopReason.LOST), RETURNED) is None


def test_failure_is_retried_after_a_pause(judge: Judge) -> None:
    held = _held(attempt=3)
    failed = judge.ended(held, RAISED)

    assert isinstance(failed, Failed)
    assert failed.failure == Failure("WHY", "because", {"a": "b"})
    assert failed.final_failure is None
    assert failed.retry_in_seconds is not None
    assert 0 <= failed.retry_in_seconds <= 4


def test_permanent_failure_is_final(judge: Judge) -> None:
    held = _held()
    failed = judge.ended(held, wire.Raised(1, "WHY", "", {}, retryable=False, retry_after=5))

    assert failed == Failed(held.fence, Failure("WHY"), final_failure=Failure("WHY"))


def test_handler_may_choose_the_pause(judge: Judge) -> None:
    held = _held()
    failed = judge.ended(held, wire.Raised(1, "WHY", "", {}, retryable=True, retry_after=1e12))

    assert isinstance(failed, Failed)
    assert failed.retry_in_seconds == 365 * 24 * 3600


def test_time_that_passed_before_a_thread_was_free_is_not_its_fault(judge) -> None:
    held = _held(StopReason.TIMED_OUT)

    assert judge.ended(held, wire.Unwound(1, has_begun=False)) == HandedBack(held.fence)


@pytest.mark.parametrize("ended", [RAISED, wire.Unwound(1)])
def test_handler_that_was_stopped(judge: Judge, ended: wire.Ended) -> None:
    cancelled, drained, timed_out = (
        _held(stop) for stop in (StopReason.CANCELLED, StopReason.DRAINED, StopReason.TIMED_OUT)
    )

    assert judge.ended(cancelled, ended) == Stopped(cancelled.fence)
    assert judge.ended(drained, ended) == HandedBack(drained.fence)
    outcome = judge.ended(timed_out, ended)
    assert isinstance(outcome, Failed)
    assert outcome.failure == Failure("ATTEMPT_TIMED_OUT", "The attempt did not end within 1.5 s.")
    assert judge.ended(_held(StopReason.LOST), ended) is None


def test_handler_that_unwinds_unasked_is_excused(judge: Judge) -> None:
    held = _held()

    assert judge.ended(held, wire.Unwound(1)) == HandedBack(held.fence)


def test_end_by_force_excuses_innocents(judge: Judge) -> None:
    innocent, culprit = _held(), _held(StopReason.CANCELLED)

    assert judge.stopped(innocent) == HandedBack(innocent.fence)
    assert judge.stopped(culprit) == Stopped(culprit.fence)
    assert judge.stopped(_held(StopReason.LOST)) is None


def test_death_of_a_runner_counts(judge: Judge) -> None:
    victim, cancelled = _held(), _held(StopReason.CANCELLED)
    outcome = judge.runner_died(victim, -9)

    assert isinstance(outcome, RunnerLost)
    assert outcome.failure.reason == "WORKER_LOST"
    assert "signal 9" in outcome.failure.message
    assert judge.runner_died(cancelled, 1) == Stopped(cancelled.fence)

"""Counting attempts, and what is final."""

from datetime import UTC, datetime
from uuid import UUID

from taskwire_shared.domain.task import ClaimedTask, RetryPolicy, TaskState

NOW = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def test_three_states_are_final() -> None:
    assert [state.name for state in TaskState if state.is_final] == ["SUCCEEDED", "FAILED", "CANCELLED"]


def test_excused_attempts_do_not_count() -> None:
    claimed = ClaimedTask(
        id=UUID(int=1),
        attempt=5,
        excused=2,
        queue="default",
        type="echo",
        input=None,
        retry_policy=RetryPolicy(),
        created_at=NOW,
        started_at=NOW,
        runs_alone=False,
    )

    assert claimed.attempt_count == 3

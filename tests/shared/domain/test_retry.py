"""The pause between attempts."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskwire_shared.domain import defaults
from taskwire_shared.domain.retry import backoff_seconds
from taskwire_shared.domain.task import RetryPolicy


class Longest(Random):
    """Draws the upper end."""

    def uniform(self, a: float, b: float) -> float:
        return b


@pytest.mark.parametrize(
    ("attempt_count", "seconds"), [(1, 1), (2, 2), (3, 4), (4, 8), (10, 512), (11, 600), (100, 600), (10_000, 600)]
)
def test_ceiling_doubles_up_to_ten_minutes(attempt_count: int, seconds: float) -> None:
    assert backoff_seconds(RetryPolicy(), attempt_count, Longest()) == seconds


def test_policy_sets_both_ends() -> None:
    policy = RetryPolicy(initial_backoff_ms=200, max_backoff_ms=300)

    assert [backoff_seconds(policy, count, Longest()) for count in (1, 2, 3)] == [0.2, 0.3, 0.3]


@given(
    st.integers(min_value=1, max_value=100),
    st.integers(min_value=0, max_value=365 * 24 * 3600 * 1000),
    st.integers(min_value=0, max_value=365 * 24 * 3600 * 1000),
    st.randoms(use_true_random=False),
)
def test_pause_is_anywhere_below_the_ceiling(
    attempt_count: int, first_ms: int, longest_ms: int, random: Random
) -> None:
    policy = RetryPolicy(initial_backoff_ms=first_ms, max_backoff_ms=longest_ms)

    assert 0 <= backoff_seconds(policy, attempt_count, random) <= longest_ms / 1000


def test_pauses_spread_over_the_whole_range() -> None:
    pauses = [backoff_seconds(RetryPolicy(), 4, Random(seed)) for seed in range(200)]

    assert min(pauses) < 1
    assert max(pauses) > 7


def test_what_the_caller_leaves_out_takes_the_default() -> None:
    first = [backoff_seconds(RetryPolicy(), 1, Random(seed)) for seed in range(200)]
    late = [backoff_seconds(RetryPolicy(), 100, Random(seed)) for seed in range(200)]

    assert 0.9 < max(first) * 1000 / defaults.INITIAL_BACKOFF_MS <= 1
    assert 0.9 < max(late) * 1000 / defaults.MAX_BACKOFF_MS <= 1

"""When a failed attempt is repeated."""

from random import Random

from taskwire_shared.domain import defaults
from taskwire_shared.domain.task import RetryPolicy

_DOUBLINGS_MAX = 40
"""2 ** 40 ms is 35 years: past any `max_backoff`, and far from overflowing a float."""


def backoff_seconds(policy: RetryPolicy, attempt_count: int, random: Random) -> float:
    """Return the pause after attempt number `attempt_count` (from 1) has failed, in seconds.

    Exponential with full jitter: uniform between 0 and `min(max_backoff, initial_backoff * 2 ** (attempt_count - 1))`,
    after "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), which found it to clear contention soonest.
    """
    initial_ms = defaults.INITIAL_BACKOFF_MS if policy.initial_backoff_ms is None else policy.initial_backoff_ms
    longest_ms = defaults.MAX_BACKOFF_MS if policy.max_backoff_ms is None else policy.max_backoff_ms
    ceiling_ms = min(longest_ms, initial_ms * 2 ** min(attempt_count - 1, _DOUBLINGS_MAX))
    return random.uniform(0, ceiling_ms) / 1000

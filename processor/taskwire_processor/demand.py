"""How many ids to ask for ahead of free slots, so that the next are there when slots come free."""

import math

AHEAD_SECONDS = 0.1
"""Work for so long is asked for ahead. A ring that waits here for longer would better be with somebody else."""
SMOOTHING_SECONDS = 0.5
"""How far back the rate of claims is looked at."""


class Demand:
    """Follows the rate at which tasks are claimed."""

    def __init__(self) -> None:
        self._rate = 0.0
        self._at = 0.0

    def claimed(self, count: int, now: float) -> None:
        """Take note of a claim; `now` is in seconds of the loop's clock."""
        self._rate = self._rate_at(now) + count / SMOOTHING_SECONDS
        self._at = now

    def ids(self, *, free: int, waiting: int, now: float) -> int:
        """Return how many more ids are welcome, with `free` slots and `waiting` ids that wait for slots."""
        return max(0, free + int(self._rate_at(now) * AHEAD_SECONDS) - waiting)

    def _rate_at(self, now: float) -> float:
        return self._rate * math.exp((self._at - now) / SMOOTHING_SECONDS)

"""How many ids to ask for ahead of free slots, so that the next are there when slots come free."""

from taskwire_shared.rate import Rate

AHEAD_SECONDS = 0.1
"""Work for so long is asked for ahead. A ring that waits here for longer would better be with somebody else."""


class Demand:
    """Follows the rate at which tasks are claimed."""

    def __init__(self) -> None:
        self._claims = Rate()

    def claimed(self, count: int, now: float) -> None:
        """Take note of a claim; `now` is in seconds of the loop's clock."""
        self._claims.note(count, now)

    def ids(self, *, free: int, waiting: int, now: float) -> int:
        """Return how many more ids are welcome, with `free` slots and `waiting` ids that wait for slots."""
        return max(0, free + int(self._claims.per_second(now) * AHEAD_SECONDS) - waiting)

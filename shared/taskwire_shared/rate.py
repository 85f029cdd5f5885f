"""How often something happens, lately."""

import math

SMOOTHING_SECONDS = 0.5
"""How far back is looked: what happened so long ago counts 1/e of what happens now."""


class Rate:
    """A rate that rises with what is noted and fades by itself."""

    def __init__(self) -> None:
        self._rate = 0.0
        self._at = 0.0

    def note(self, count: int, now: float) -> None:
        """Take note of `count` more; `now` is in seconds of a clock that only goes forward."""
        self._rate = self.per_second(now) + count / SMOOTHING_SECONDS
        self._at = now

    def per_second(self, now: float) -> float:
        """Return how often it happens in a second."""
        return self._rate * math.exp((self._at - now) / SMOOTHING_SECONDS)

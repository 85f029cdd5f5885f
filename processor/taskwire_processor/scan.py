"""What a slow claim looks at: everything that waits, or, where that takes long, a slice of it at a time.

What has stopped waiting stays in the index for as long as any transaction is open that began before, of whomever. A
look at everything steps over all of it, 1.2 million entries in 0.7 s. In slices by the time in their ids, from the new
to the old, the same is seen without ever keeping a core of the server busy for long; and the newest are looked at as
often as ever, since it is mostly new tasks whose rings get lost.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from taskwire_shared.domain.ids import floor_id
from taskwire_shared.store.claims import EVERYTHING, Slice
from taskwire_shared.upkeep.rounds import LONG_ROUND_SECONDS

FRESH = timedelta(seconds=8)
"""The age up to which tasks count as new. Also the width of the first slice, and the least of any."""
FRESH_SECONDS = 3.0
"""Between two looks at the newest."""
SLICE_SECONDS = 0.02
"""A slice that takes longer is followed by one of half the width, and else by one of twice."""
SLICE_AGE_PART = 1 / 32
"""The least width of a slice, as a part of its age: so that one pass takes 300 slices at the most."""
OLD = timedelta(days=1)
"""What is older makes one slice: little of it stops waiting beside one transaction."""
SLICE_TIME_PART = 0.03
"""Of the time goes into slices."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Scan:
    """Goes through what waits again and again: with one look at everything, while that is quick."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take a clock whose seconds only go forward."""
        self._clock = clock
        self.is_sliced = False
        self._took_before = 0.0
        self._fresh_at = 0.0
        """When the newest are due."""
        self._is_fresh = False
        """Whether the look under way is one at the newest."""
        self._end = self._start = _EPOCH
        """Of the slice that is next or being looked at."""
        self._width = FRESH
        self._took = self._pass_took = 0.0

    def begin_again(self) -> None:
        """Look at the newest next, and then at all others: some that were passed by may wait now."""
        self._fresh_at = 0.0
        self._begin_pass()

    def next(self) -> Slice:
        """Return what to look at now."""
        if not self.is_sliced:
            return EVERYTHING
        self._is_fresh = self._clock() >= self._fresh_at
        if self._is_fresh:
            self._fresh_at = self._clock() + FRESH_SECONDS
            return Slice(floor_id(datetime.now(UTC) - FRESH), EVERYTHING.end)
        is_old = datetime.now(UTC) - self._end > OLD
        self._start = _EPOCH if is_old else self._end - self._width
        return Slice(floor_id(self._start), floor_id(self._end))

    def looked(self, took: float) -> None:
        """Take note that a look was over after `took` seconds. Without this `next` returns the same slice once more."""
        self._took = took
        if not self.is_sliced:
            # One may have met a hiccup.
            self.is_sliced = min(took, self._took_before) >= LONG_ROUND_SECONDS
            self._took_before = took
            self._begin_pass()
        elif not self._is_fresh:
            self._pass_took += took
            self._move_on(took)

    def pause(self, usual: float) -> float:
        """Return how many seconds to wait before the next look; `usual` between two at everything."""
        if not self.is_sliced:
            return usual
        return max(0.0, min(self._took / SLICE_TIME_PART, self._fresh_at - self._clock()))

    def _begin_pass(self) -> None:
        self._end = datetime.now(UTC) - FRESH
        self._width = FRESH
        self._pass_took = 0.0

    def _move_on(self, took: float) -> None:
        self._end = self._start
        least = max(FRESH, (datetime.now(UTC) - self._end) * SLICE_AGE_PART)
        self._width = max(least, self._width / 2 if took > SLICE_SECONDS else self._width * 2)
        if self._end == _EPOCH:
            self.is_sliced = self._pass_took >= LONG_ROUND_SECONDS
            self._took_before = 0.0
            self._begin_pass()

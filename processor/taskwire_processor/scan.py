"""What a slow claim looks at: everything that waits, or, where that takes long, a part of it at a time.

What has stopped waiting stays in the index for as long as any transaction is open that began before, of whomever. A
look at everything steps over all of it, 1.2 million entries in 0.7 s. So where that takes long, three kinds of look go
by turns, each at its own pace: at the newest, as often as ever, since it is mostly new tasks whose rings get lost; at
slices by the time in the ids, from the new to the old, which see all others without ever keeping a core of the server
busy for long; and at everything, cut off soon, to see whether that is quick again.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from math import inf

from msgspec import Struct

from taskwire_shared.domain.ids import floor_id
from taskwire_shared.store.claims import EVERYTHING, Slice
from taskwire_shared.upkeep.rounds import LONG_ROUND_SECONDS

LOOK_SECONDS_MAX = 2.0
"""After which the server cuts a look off, so that it is over before a claim counts as lost (see `claimer`)."""
NEW = timedelta(seconds=8)
"""The age up to which tasks count as new. Also the width of the first slice."""
NEW_SLACK = timedelta(seconds=5)
"""By which two looks at the newest overlap: the time in an id is that of its caller's clock, before the create."""
NEW_MAX = timedelta(minutes=1)
"""The age up to which they count as new at most, when looks at them were cut off or found too much."""
NEW_SECONDS = 3.0
"""Between two looks at the newest."""
NEW_TIME_PART = 0.1
"""Of the time goes into looks at the newest at most."""
SLICE_SECONDS = 0.02
"""A slice that takes so much longer than the quickest is followed by one of half the width, and else by one of twice:
what the quickest takes is the price of any look."""
SLICE_AGE_PART = 1 / 32
"""The least width of a slice, as a part of its age: so that one pass takes 400 slices at the most."""
OLD = timedelta(days=1)
"""A slice of this width takes all that is older as well: little of it stops waiting beside one transaction."""
NARROW = timedelta(seconds=1)
"""A slice that is cut off is followed by a quarter of it, down to this."""
SLICE_TIME_PART = 0.03
"""Of the time goes into slices."""
WHOLE_SECONDS = 30.0
"""Between two looks at everything, each of which is cut off where it is still long."""
PAUSE_SECONDS_MAX = 10.0
"""Between two looks at the newest or at slices, whatever they take."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Look(Struct, frozen=True):
    """One look."""

    ids: Slice
    seconds: float
    """After which the server should cut it off."""


class _Kind(Enum):
    NEWEST = auto()
    SLICE = auto()
    WHOLE = auto()


class Scan:
    """Goes through what waits again and again: with one look at everything, while that is quick."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take a clock whose seconds only go forward."""
        self.is_sliced = False
        self._clock = clock
        self._took_before = 0.0
        self._kind = _Kind.WHOLE
        """Of the look under way."""
        self._due = dict.fromkeys(_Kind, 0.0)
        """When looks of each kind are due while it is sliced."""
        self._seen_new_at = self._new_at = _EPOCH
        """When the last look at the newest began that was over, and the one under way."""
        self._start = self._end = _EPOCH
        """Of the slice that is next or under way."""
        self._width = NEW
        self._least = inf
        """What the quickest slice of this pass took, in seconds."""

    def news(self) -> None:
        """Look soon: tasks may wait in places where none did."""
        self._due[_Kind.NEWEST] = min(self._due[_Kind.NEWEST], self._clock())

    def next(self) -> Look:
        """Return what to look at now: what has been due for longest."""
        if not self.is_sliced:
            return Look(EVERYTHING, LOOK_SECONDS_MAX)
        self._kind = min(self._due, key=self._due.__getitem__)
        match self._kind:
            case _Kind.NEWEST:
                return Look(self._newest(), LOOK_SECONDS_MAX)
            case _Kind.SLICE:
                self._start = _EPOCH if self._width >= OLD else self._end - self._width
                return Look(Slice(floor_id(self._start), floor_id(self._end)), LOOK_SECONDS_MAX)
            case _Kind.WHOLE:
                return Look(EVERYTHING, LONG_ROUND_SECONDS)

    def looked(self, took: float) -> None:
        """Take note that a look saw all that it should, within `took` seconds."""
        if not self.is_sliced:
            # One may have met a hiccup.
            if min(took, self._took_before) >= LONG_ROUND_SECONDS:
                self._begin()
            self._took_before = took
        elif self._kind is _Kind.WHOLE:
            self.is_sliced, self._took_before = False, 0.0
        elif self._kind is _Kind.NEWEST:
            self._seen_new_at = self._new_at
            self._put_off(max(NEW_SECONDS, took / NEW_TIME_PART))
        else:
            self._move_on(took)
            self._put_off(took / SLICE_TIME_PART)

    def found_full(self) -> None:
        """Take note that a look found as much as there was room for: it comes again, after the others that are due."""
        self._put_off(0.0)

    def was_cut_off(self) -> None:
        """Take note that a look took too long, and that nothing came of it."""
        if not self.is_sliced:
            self._begin()
        elif self._kind is _Kind.WHOLE:
            self._due[_Kind.WHOLE] = self._clock() + WHOLE_SECONDS
        elif self._kind is _Kind.NEWEST:
            # A wider one would be cut off again. Slices come to what this one has not seen.
            self._seen_new_at = self._new_at
            self._put_off(NEW_SECONDS)
        else:
            if self._width > NARROW:
                self._width = max(NARROW, min(self._width, OLD) / 4)
            else:
                self._move_on(LOOK_SECONDS_MAX)
            self._put_off(LOOK_SECONDS_MAX / SLICE_TIME_PART)

    def pause(self, usual: float) -> float:
        """Return how many seconds to wait before the next look; `usual` between two at everything."""
        return max(0.0, min(self._due.values()) - self._clock()) if self.is_sliced else usual

    def _begin(self) -> None:
        self.is_sliced = True
        self._due = {_Kind.NEWEST: 0.0, _Kind.SLICE: 0.0, _Kind.WHOLE: self._clock() + WHOLE_SECONDS}
        self._seen_new_at = datetime.now(UTC)
        self._begin_pass()

    def _begin_pass(self) -> None:
        self._end = datetime.now(UTC) - NEW
        self._width = NEW
        self._least = inf

    def _newest(self) -> Slice:
        self._new_at = datetime.now(UTC)
        since = max(self._new_at - NEW_MAX, min(self._new_at - NEW, self._seen_new_at - NEW_SLACK))
        return Slice(floor_id(since), EVERYTHING.end)

    def _move_on(self, took: float) -> None:
        self._end = self._start
        self._least = min(self._least, took)
        least = max(NEW, (datetime.now(UTC) - self._end) * SLICE_AGE_PART)
        self._width = max(least, self._width / 2 if took - self._least > SLICE_SECONDS else self._width * 2)
        if self._end == _EPOCH:
            self._begin_pass()

    def _put_off(self, seconds: float) -> None:
        self._due[self._kind] = self._clock() + min(seconds, PAUSE_SECONDS_MAX)

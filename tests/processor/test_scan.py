"""Looks at what waits: at everything while that is quick, and else in slices that leave nothing out."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskwire_processor.scan import FRESH, FRESH_SECONDS, SLICE_SECONDS, SLICE_TIME_PART, Scan
from taskwire_shared.domain.ids import floor_id, id_time
from taskwire_shared.store.claims import EVERYTHING, Slice
from taskwire_shared.upkeep.rounds import LONG_ROUND_SECONDS

SLICES_MAX = 350
LONG = LONG_ROUND_SECONDS * 1.01


class Clock:
    """Stands still unless it is told."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def sliced(clock: Clock) -> Scan:
    scan = Scan(clock)
    for _ in range(2):
        assert scan.next() == EVERYTHING
        scan.looked(LONG)
    assert scan.is_sliced
    return scan


def is_fresh(ids: Slice) -> bool:
    return ids.end == EVERYTHING.end


def one_pass(scan: Scan, *took: float) -> list[Slice]:
    """Look at the newest, and then at slices until they are through. The last of `took` goes on."""
    scan.begin_again()
    assert is_fresh(scan.next())
    scan.looked(0.0)
    slices = []
    while not slices or slices[-1].start != EVERYTHING.start:
        slices.append(scan.next())
        scan.looked(took[min(len(slices), len(took)) - 1])
        assert len(slices) <= SLICES_MAX
    return slices


def test_everything_is_looked_at_while_that_is_quick(clock):
    scan = Scan(clock)
    for took in (0.0, LONG_ROUND_SECONDS * 0.99, LONG, 0.0, LONG, 0.0):
        assert scan.next() == EVERYTHING
        scan.looked(took)
        assert scan.pause(3.0) == 3.0


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=50))
def test_p5_slices_leave_nothing_out_however_long_they_take(took):
    slices = one_pass(sliced(Clock()), *took)
    assert all(older.end == newer.start for newer, older in pairwise(slices))
    begins = datetime.now(UTC) - id_time(slices[0].end)
    assert FRESH <= begins < FRESH + timedelta(seconds=5)


def test_p5_slices_get_narrower_where_they_take_long_and_wider_where_they_do_not(clock):
    scan = sliced(clock)
    widths = [one.end.int - one.start.int for one in one_pass(scan, 0.0, 0.0, 0.0, SLICE_SECONDS * 2, 0.0)[:5]]
    assert [later / sooner for sooner, later in pairwise(widths)] == pytest.approx([2, 2, 2, 0.5], rel=0.01)


def test_p5_new_tasks_are_looked_at_as_often_as_ever(clock):
    scan = sliced(clock)
    seen = []
    for _ in range(100):
        seen.append(is_fresh(scan.next()))
        scan.looked(SLICE_SECONDS)
        pause = scan.pause(3.0)
        assert 0 <= pause <= FRESH_SECONDS
        clock.seconds += pause
    fresh_seconds = clock.seconds - 1000.0
    assert seen.count(True) == pytest.approx(fresh_seconds / FRESH_SECONDS, abs=1)
    assert seen.count(False) > 10


def test_slices_take_a_small_part_of_the_time(clock):
    scan = sliced(clock)
    scan.next()
    scan.looked(0.0)
    scan.next()
    scan.looked(0.01)
    assert scan.pause(3.0) == pytest.approx(0.01 / SLICE_TIME_PART)


def test_a_slice_in_which_more_waits_is_looked_at_again(clock):
    scan = sliced(clock)
    scan.next()
    scan.looked(0.0)
    assert scan.next() == scan.next() != EVERYTHING


def test_slices_that_are_quick_together_end_it(clock):
    scan = sliced(clock)
    one_pass(scan, LONG, 0.0)
    assert scan.is_sliced
    one_pass(scan, 0.0)
    assert not scan.is_sliced
    assert scan.next() == EVERYTHING


def test_a_new_pass_begins_with_the_newest(clock):
    scan = sliced(clock)
    for _ in range(5):
        scan.next()
        scan.looked(0.0)
    before = scan.next()
    scan.begin_again()
    assert is_fresh(scan.next())
    scan.looked(0.0)
    assert scan.next().end > before.end


def test_ids_of_the_day_before_are_in_the_last_slice(clock):
    last = one_pass(sliced(clock), 0.0)[-1]
    assert last.start <= floor_id(datetime.now(UTC) - timedelta(days=3)) < last.end

"""Looks at what waits: at everything while that is quick, and else in parts that leave nothing out."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskwire_processor import scan as scan_module
from taskwire_processor.scan import (
    LOOK_SECONDS_MAX,
    NEW,
    NEW_MAX,
    NEW_SECONDS,
    PAUSE_SECONDS_MAX,
    SLICE_SECONDS,
    SLICE_TIME_PART,
    WHOLE_SECONDS,
    Look,
    Scan,
)
from taskwire_shared.domain.ids import floor_id, id_time
from taskwire_shared.store.claims import EVERYTHING, Slice
from taskwire_shared.upkeep.rounds import LONG_ROUND_SECONDS

SLICES_MAX = 400
LONG = LONG_ROUND_SECONDS * 1.01
START = datetime(2026, 5, 1, 12, tzinfo=UTC)
WHOLE = Look(EVERYTHING, LOOK_SECONDS_MAX)
PROBE = Look(EVERYTHING, LONG_ROUND_SECONDS)


class Time:
    """Stands still unless it is told: the clock that only goes forward, and the one on the wall."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    @property
    def wall(self) -> datetime:
        return START + timedelta(seconds=self.seconds - 1000.0)


@pytest.fixture
def clock(monkeypatch):
    return stopped_clock(monkeypatch)


def stopped_clock(monkeypatch) -> Time:
    time = Time()

    class Wall(datetime):
        @classmethod
        def now(cls, tz=None):
            return time.wall.astimezone(tz)

    monkeypatch.setattr(scan_module, "datetime", Wall)
    return time


def sliced(clock: Time) -> Scan:
    scan = Scan(clock)
    for _ in range(2):
        assert scan.next() == WHOLE
        scan.looked(LONG)
    assert scan.is_sliced
    return scan


def is_newest(look: Look) -> bool:
    return look.ids.end == EVERYTHING.end and look.ids != EVERYTHING


def look_on(scan: Scan, clock: Time, seconds: float, took: dict[str, float]) -> list[tuple[float, str, Slice]]:
    """Look for so long at whatever comes, and return when each look began, its kind and what it was at."""
    seen = []
    end = clock.seconds + seconds
    while clock.seconds < end and scan.is_sliced:
        look = scan.next()
        kind = "newest" if is_newest(look) else "whole" if look.ids == EVERYTHING else "slice"
        seen.append((clock.seconds, kind, look.ids))
        clock.seconds += min(took[kind], look.seconds)
        if took[kind] > look.seconds:
            scan.was_cut_off()
        else:
            scan.looked(took[kind])
        clock.seconds += scan.pause(3.0)
    return seen


def of(kind: str, seen: list[tuple[float, str, Slice]]) -> list[tuple[float, Slice]]:
    return [(at, ids) for at, name, ids in seen if name == kind]


def first_pass(seen: list[tuple[float, str, Slice]]) -> list[Slice]:
    slices = [ids for _, ids in of("slice", seen)]
    return slices[: [ids.start for ids in slices].index(EVERYTHING.start) + 1]


def test_everything_is_looked_at_while_that_is_quick(clock):
    scan = Scan(clock)
    for took in (0.0, LONG_ROUND_SECONDS * 0.99, LONG, 0.0, LONG, 0.0):
        assert scan.next() == WHOLE
        scan.looked(took)
        assert scan.pause(3.0) == 3.0


def test_a_look_that_was_cut_off_begins_slices_at_once(clock):
    scan = Scan(clock)
    scan.next()
    scan.was_cut_off()
    assert is_newest(scan.next())


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=50))
def test_p5_slices_leave_nothing_out_however_long_they_take(took):
    with pytest.MonkeyPatch.context() as patch:
        clock = stopped_clock(patch)
        scan = sliced(clock)
        times = iter(took)
        slices: list[Slice] = []
        while not slices or slices[-1].start != EVERYTHING.start:
            look = scan.next()
            if look.ids.end == EVERYTHING.end:
                scan.was_cut_off()
            else:
                slices.append(look.ids)
                scan.looked(next(times, took[-1]))
            clock.seconds += scan.pause(3.0)
            assert len(slices) <= SLICES_MAX
    assert all(older.end == newer.start for newer, older in pairwise(slices))
    assert id_time(slices[0].end) == START - NEW


@pytest.mark.parametrize("newest", [0.001, 0.02, 0.1, 0.5, 1.9])
@pytest.mark.parametrize("slice_", [0.001, 0.02, 0.1, 0.5, 1.9])
def test_p5_neither_new_nor_old_tasks_are_forgotten_however_long_looks_take(clock, newest, slice_):
    scan = sliced(clock)
    seen = look_on(scan, clock, 400.0, {"newest": newest, "slice": slice_, "whole": 1.0})

    news = [at for at, _ in of("newest", seen)]
    most = max(NEW_SECONDS, min(10 * newest, PAUSE_SECONDS_MAX)) + newest + slice_ + LONG_ROUND_SECONDS
    assert max(later - sooner for sooner, later in pairwise(news)) <= most + 0.01
    # Where all slices take as long, a pass is made of fewer than 20.
    assert len(first_pass(seen)) < 20


@pytest.mark.parametrize("took", [0.001, 0.1, 1.9])
def test_p5_looks_at_the_newest_overlap_so_that_no_new_task_falls_between(clock, took):
    scan = sliced(clock)
    news = of("newest", look_on(scan, clock, 300.0, {"newest": took, "slice": 1.9, "whole": 1.0}))
    for (sooner, _), (_, ids) in pairwise(news):
        assert id_time(ids.start) <= START + timedelta(seconds=sooner - 1000.0 - 4)


def test_slices_take_a_small_part_of_the_time(clock):
    scan = sliced(clock)
    slices = of("slice", look_on(scan, clock, 1000.0, {"newest": 0.01, "slice": 0.25, "whole": 1.0}))
    assert len(slices) * 0.25 / 1000.0 == pytest.approx(SLICE_TIME_PART, rel=0.1)


def test_p5_where_each_look_takes_as_long_slices_get_wider_and_a_pass_is_soon_over(clock):
    scan = sliced(clock)
    seen = look_on(scan, clock, 120.0, {"newest": 0.05, "slice": 0.05, "whole": 1.0})
    assert len(first_pass(seen)) < 20


def test_slices_get_narrower_where_they_take_longer_than_the_quickest(clock):
    scan = sliced(clock)
    slices = []
    for took in (0.05, 0.05, 0.05, 0.05 + 2 * SLICE_SECONDS, 0.05):
        while (look := scan.next()).ids.end == EVERYTHING.end:
            scan.was_cut_off()
        slices.append(look.ids)
        scan.looked(took)
        clock.seconds += scan.pause(3.0)
    widths = [one.end.int - one.start.int for one in slices]
    assert [later / sooner for sooner, later in pairwise(widths)] == pytest.approx([2, 2, 2, 0.5], rel=0.01)


def test_a_slice_that_is_cut_off_is_looked_at_in_quarters(clock):
    scan = sliced(clock)
    scan.next()
    scan.looked(0.0)
    cut = scan.next().ids
    scan.was_cut_off()
    clock.seconds += scan.pause(3.0)
    while (look := scan.next()).ids.end == EVERYTHING.end:
        scan.looked(0.0) if is_newest(look) else scan.was_cut_off()
        clock.seconds += scan.pause(3.0)
    assert look.ids.end == cut.end
    assert (look.ids.end.int - look.ids.start.int) * 4 == pytest.approx(cut.end.int - cut.start.int, rel=0.01)


def test_slices_that_are_always_cut_off_do_not_hold_up_the_rest(clock):
    scan = sliced(clock)
    seen = look_on(scan, clock, 3600.0, {"newest": 0.01, "slice": 9.0, "whole": 1.0})
    assert len({ids.end for _, ids in of("slice", seen)}) > 10


def test_a_look_that_found_no_end_comes_again_after_the_other_that_is_due(clock):
    scan = sliced(clock)
    looks = []
    for _ in range(6):
        looks.append(scan.next().ids)
        scan.found_full()
        assert scan.pause(3.0) == 0.0
        clock.seconds += 0.02
    assert looks[1] == looks[3] == looks[5]
    assert all(ids.end == EVERYTHING.end for ids in looks[::2])


def test_everything_is_tried_now_and_then_and_ends_the_slices_when_it_is_quick(clock):
    scan = sliced(clock)
    began = clock.seconds
    seen = look_on(scan, clock, 300.0, {"newest": 0.01, "slice": 0.01, "whole": 1.0})
    tries = [at - began for at, _ in of("whole", seen)]
    assert len(tries) == pytest.approx(300.0 / WHOLE_SECONDS, abs=1)
    look_on(scan, clock, WHOLE_SECONDS + 1.0, {"newest": 0.05, "slice": 0.05, "whole": 0.05})
    assert not scan.is_sliced
    assert scan.next() == WHOLE


def test_a_try_at_everything_is_cut_off_early(clock):
    scan = sliced(clock)
    for _ in range(2):
        scan.next()
        scan.looked(0.5)
    clock.seconds += WHOLE_SECONDS
    looks = []
    for _ in range(3):
        looks.append(scan.next())
        scan.was_cut_off()
    assert looks.count(PROBE) == 1


def test_p5_news_bring_a_look_at_the_newest_and_no_new_pass(clock):
    scan = sliced(clock)
    seen = []
    for _ in range(400):
        seen += look_on(scan, clock, 1.0, {"newest": 0.001, "slice": 0.025, "whole": 1.0})
        scan.news()
        assert is_newest(scan.next())
        scan.looked(0.001)
    assert first_pass(seen)


def test_ids_of_the_day_before_are_in_the_last_slice(clock):
    scan = sliced(clock)
    last = first_pass(look_on(scan, clock, 600.0, {"newest": 0.01, "slice": 0.01, "whole": 1.0}))[-1]
    assert last.start <= floor_id(START - timedelta(days=3)) < last.end


def test_p5_the_newest_stay_few_however_often_a_look_at_them_is_cut_off(clock):
    scan = sliced(clock)
    looks = look_on(scan, clock, 600.0, {"newest": 9.0, "slice": 0.01, "whole": 1.0})
    ages = [START + timedelta(seconds=at - 1000.0) - id_time(ids.start) for at, ids in of("newest", looks)]
    assert max(ages) < NEW + timedelta(seconds=NEW_SECONDS * 3)


def test_the_newest_stay_few_while_looks_at_them_find_more_than_has_room(clock):
    scan = sliced(clock)
    ages = []
    for _ in range(300):
        while not is_newest(look := scan.next()):
            scan.was_cut_off()
            clock.seconds += 0.1
        ages.append(clock.wall - id_time(look.ids.start))
        scan.found_full()
        clock.seconds += 1.0
    assert max(ages) == NEW_MAX


def test_p5_news_all_the_time_leave_room_for_slices_and_for_everything(clock):
    scan = sliced(clock)
    kinds = []
    for _ in range(2000):
        look = scan.next()
        kinds.append("newest" if is_newest(look) else "whole" if look == PROBE else "slice")
        scan.news()
        clock.seconds += 0.3
        if look == PROBE:
            scan.was_cut_off()
        else:
            scan.looked(0.3)
        scan.news()
    assert {"slice", "whole"} <= set(kinds)

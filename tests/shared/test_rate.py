"""A rate that follows what happens and fades when nothing does."""

import pytest

from taskwire_shared.rate import SMOOTHING_SECONDS, Rate


def test_what_happens_all_the_time_is_told_per_second() -> None:
    rate = Rate()
    for tick in range(500):
        rate.note(10, tick * 0.01)
    assert rate.per_second(5.0) == pytest.approx(1_000, rel=0.05)


def test_it_fades() -> None:
    rate = Rate()
    assert rate.per_second(7.0) == 0
    rate.note(100, 10.0)
    assert rate.per_second(10.0) == 100 / SMOOTHING_SECONDS
    assert rate.per_second(10.0 + SMOOTHING_SECONDS) == pytest.approx(100 / SMOOTHING_SECONDS / 2.718, rel=0.01)
    assert rate.per_second(20.0) == pytest.approx(0, abs=1e-5)

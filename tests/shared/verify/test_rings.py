from typing import Any

import pytest

from taskwire_shared.bus.ring_census import Census, Line
from taskwire_shared.verify.rings import suspect_rings

IDLE, BUSY = {"mail": True}, {"mail": False}


def line(**given: Any) -> Line:
    usual = {"waiting": 0, "handed_out": 0, "handed_out_max": 100, "delivered": 7}
    return Line(**{"consumer": "mail-high", "queue": "mail", **usual, **given})


def census(*lines: Line, **given: Any) -> Census:
    others = [line(consumer=f"mail-{token}") for token in ("low", "normal", "high")]
    usual = {"rings": 3, "oldest_seconds": 2.0, "age_seconds_max": 60.0, "lines": (*lines, *others[: 3 - len(lines)])}
    return Census(**{**usual, **given})


def test_nothing_is_wrong_with_rings_that_flow() -> None:
    assert suspect_rings(census(), IDLE) == []
    assert suspect_rings(census(line(waiting=5)), BUSY) == []
    assert suspect_rings(census(line(waiting=5, queue="unserved")), IDLE) == []


@pytest.mark.parametrize(
    ("given", "detail"),
    [
        ({"age_seconds_max": 0.0}, "for ever"),
        ({"age_seconds_max": 3600.0}, "3600 s and not 60 s"),
        ({"oldest_seconds": 75.0}, "75 s old"),
    ],
)
def test_stream_that_keeps_too_much_is_suspect(given, detail) -> None:
    (suspect,) = suspect_rings(census(**given), IDLE)

    assert detail in suspect.detail
    assert not suspect.is_warning


def test_rings_that_wait_beside_an_idle_processor_are_suspect_until_one_is_handed_out() -> None:
    (suspect,) = suspect_rings(census(line(waiting=5)), IDLE)
    (later,) = suspect_rings(census(line(waiting=4, delivered=8)), IDLE)

    assert "5 rings wait" in suspect.detail
    assert suspect.mark != later.mark


def test_consumer_that_hands_out_no_more_is_suspect() -> None:
    (suspect,) = suspect_rings(census(line(handed_out=100)), BUSY)

    assert "not acknowledged" in suspect.detail


def test_missing_stream_and_consumers_are_warnings_where_there_is_a_processor() -> None:
    assert suspect_rings(None, {}) == []
    (stream,) = suspect_rings(None, IDLE)
    consumers = suspect_rings(census(lines=()), IDLE)

    assert stream.is_warning
    assert [suspect.subject for suspect in consumers] == ["mail-low", "mail-normal", "mail-high"]
    assert all(suspect.is_warning for suspect in consumers)

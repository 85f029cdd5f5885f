"""What others count is read when it is scraped."""

import pytest
from prometheus_client import CollectorRegistry

from taskwire_shared.telemetry.followed import FollowedCounter


def test_value_is_read_at_each_scrape() -> None:
    registry = CollectorRegistry()
    counter = FollowedCounter("things", "Help", registry)
    values = iter([1, 5])
    assert registry.get_sample_value("things_total") is None

    counter.follow(lambda: next(values))

    assert registry.get_sample_value("things_total") == 1
    assert registry.get_sample_value("things_total") == 5


def test_labels() -> None:
    registry = CollectorRegistry()
    counter = FollowedCounter("things", "Help", registry, ["kind"])
    counter.follow(lambda: 1, "a")
    counter.follow(lambda: 2, "b")

    assert registry.get_sample_value("things_total", {"kind": "b"}) == 2
    with pytest.raises(ValueError, match="has the labels"):
        counter.follow(lambda: 3)


def test_a_name_is_used_once() -> None:
    registry = CollectorRegistry()
    FollowedCounter("things", "Help", registry)

    with pytest.raises(ValueError, match="Duplicated"):
        FollowedCounter("things", "Help", registry)

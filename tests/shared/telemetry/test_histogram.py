"""Our histogram says what prometheus_client's says, for a tenth of the price."""

import random

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from taskwire_shared.telemetry.histogram import BatchHistogram

BOUNDS = (0.015625, 0.125, 1, 10)


def _exposed(registry: CollectorRegistry) -> set[str]:
    return {line for line in generate_latest(registry).decode().splitlines() if "_created" not in line}


def test_it_exposes_what_the_librarys_own_exposes() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    batch = BatchHistogram("h", "Help", BOUNDS, ours)
    reference = Histogram("h", "Help", buckets=BOUNDS, registry=theirs)
    # On the bounds, between and beyond them; multiples of powers of two add up without rounding, in whatever order.
    values = [*BOUNDS, 0, 100, *(random.Random(7).randrange(4096) / 64 for _ in range(500))]

    batch.observe(values[0])
    batch.observe_many(values[1:3])
    batch.observe_many(values[3:])
    batch.observe_many([])
    for value in values:
        reference.observe(value)

    assert _exposed(ours) == _exposed(theirs)


def test_labels() -> None:
    registry = CollectorRegistry()
    histogram = BatchHistogram("h", "Help", BOUNDS, registry, ["method", "code"])
    histogram.labels("Get", "OK").observe(0.5)
    histogram.labels("Get", "OK").observe_many([0.5, 0.05])

    assert registry.get_sample_value("h_count", {"method": "Get", "code": "OK"}) == 3
    assert registry.get_sample_value("h_bucket", {"method": "Get", "code": "OK", "le": "0.125"}) == 1
    with pytest.raises(ValueError, match="has the labels"):
        histogram.labels("Get")


def test_a_name_is_used_once() -> None:
    registry = CollectorRegistry()
    BatchHistogram("h", "Help", BOUNDS, registry)

    with pytest.raises(ValueError, match="Duplicated"):
        BatchHistogram("h", "Help", BOUNDS, registry)

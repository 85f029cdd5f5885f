"""How much is asked for ahead."""

from taskwire_processor.demand import Demand


def test_demand_is_the_free_slots_when_little_happens() -> None:
    demand = Demand()

    assert demand.ids(free=10, waiting=0, now=0.0) == 10
    assert demand.ids(free=10, waiting=4, now=0.0) == 6
    assert demand.ids(free=0, waiting=4, now=0.0) == 0


def test_demand_runs_ahead_of_a_fast_processor_and_forgets() -> None:
    demand = Demand()
    for tick in range(200):
        demand.claimed(100, tick * 0.01)

    # 10,000 a second for 2 s: a tenth of a second of work ahead.
    assert 800 <= demand.ids(free=0, waiting=0, now=2.0) <= 1200
    assert demand.ids(free=0, waiting=0, now=12.0) == 0

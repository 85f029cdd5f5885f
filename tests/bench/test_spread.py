from hypothesis import given
from hypothesis import strategies as st
from taskwire_bench.spread import Spread, percentile, percentiles


def test_spread_tells_the_middle_and_the_ends() -> None:
    spread = Spread.of([3, 1, 2])

    assert (spread.median, spread.minimum, spread.maximum) == (2, 1, 3)


@given(st.lists(st.floats(allow_nan=False), min_size=1), st.floats(0.01, 1))
def test_percentile_is_a_value_that_enough_others_do_not_exceed(values: list[float], share: float) -> None:
    found = percentile(values, share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9


def test_percentiles_of_a_hundred_values() -> None:
    assert percentiles([float(number) for number in range(1, 101)]) == {"p50": 50, "p99": 99, "p99.9": 100}

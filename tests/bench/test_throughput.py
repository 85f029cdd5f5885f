"""Which of the bare loops is the limit."""

from taskwire_bench.scenarios.throughput import limits_of


def test_the_limit_is_that_of_the_best_number_of_connections_in_each_turn() -> None:
    turns = [{1: 10.0, 4: 30.0, 8: 20.0}, {1: 11.0, 4: 28.0, 8: 50.0}, {1: 12.0, 4: 29.0, 8: 21.0}]
    assert limits_of(turns) == [30.0, 28.0, 29.0]

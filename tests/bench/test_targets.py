import pytest
from taskwire_bench.results import Figure, Result, Shelf
from taskwire_bench.spread import Spread
from taskwire_bench.table import verdicts
from taskwire_bench.targets import TARGETS, Verdict, judge


@pytest.fixture
def throughput(make_result):
    def make(*values):
        figure = Figure(name="throughput", unit="tasks/s", spread=Spread.of(values))
        return make_result(scenario="throughput", figures=(figure,))

    return make


def _verdict(result: Result | None, figure: str = "throughput") -> Verdict:
    judged = judge(lambda _: result, ["throughput"])
    return next(item.verdict for item in judged if item.target.figure == figure)


def test_the_median_decides(throughput) -> None:
    assert _verdict(throughput(1, 27_000, 99_000)) is Verdict.MET
    assert _verdict(throughput(1, 26_999, 99_000)) is Verdict.MISSED


def test_what_is_missing_is_not_measured(throughput) -> None:
    assert _verdict(None) is Verdict.NOT_MEASURED
    assert _verdict(throughput(1), "efficiency") is Verdict.NOT_MEASURED


def test_the_table_has_a_row_for_each_target() -> None:
    judged = judge(lambda _: None, [target.scenario for target in TARGETS])

    assert len(judged) == len(TARGETS)
    assert verdicts(judged).count(Verdict.NOT_MEASURED.value) == len(TARGETS)


def test_a_result_is_read_as_it_was_kept(tmp_path, throughput) -> None:
    shelf = Shelf(tmp_path)
    shelf.keep(throughput(1, 2, 3))

    assert shelf.find("throughput") == throughput(1, 2, 3)
    assert shelf.find("unary") is None

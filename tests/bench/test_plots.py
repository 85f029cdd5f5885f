from xml.etree import ElementTree as ET

from taskwire_bench.plots import Bar, Chart, charts, draw
from taskwire_bench.results import Figure
from taskwire_bench.spread import Spread


def test_a_chart_is_a_picture_with_a_bar_for_each_row() -> None:
    chart = Chart("c", "Fast & <small>", "tasks/s", [Bar("a", Spread.of([1, 2, 3]), True), Bar("b", Spread.of([0]))])
    root = ET.fromstring(draw(chart))

    bars = [element for element in root.iter() if element.get("class", "").startswith("bar")]
    widths = [float(element.get("width", "0")) for element in bars]
    assert len(bars) == 2
    assert widths[0] > widths[1]


def test_results_become_charts_and_what_was_not_measured_does_not(make_result) -> None:
    results = {
        "throughput": make_result(scenario="throughput", cpu={"throughput": {"nats": Spread.of([0.004, 0.003])}}),
        "processes": make_result(
            scenario="processes",
            figures=tuple(
                Figure(name=name, unit="tasks/s", spread=Spread.of([1]))
                for name in ("processes.2x1", "processes.1x1.nats3")
            ),
        ),
    }

    made = {chart.file: [(bar.label, bar.spread.median) for bar in chart.bars] for chart in charts(results.get)}

    assert made == {
        "cpu": [("nats", 3.5)],
        "processes": [("2 gateways, 1 processors", 1), ("1 gateways, 1 processors, 3 NATS", 1)],
    }

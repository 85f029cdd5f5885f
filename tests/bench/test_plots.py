from xml.etree import ElementTree as ET

from taskwire_bench.plots import Bar, Chart, charts, draw, timelines, write
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


def test_what_was_steady_is_drawn_over_time(make_result, tmp_path) -> None:
    details = {
        "rate": 1000.0,
        "phases": {"a reading transaction is open": [1.0, 2.0]},
        "memory": [(0.0, {"nats": 1024**2}), (3.0, {"nats": 2 * 1024**2})],
        "pulse": [(0.0, 1.2), (0.5, 1.3)],
        "seconds": [(0.0, 10, 1.5, 9.0), (1.0, 10, 1.6, 8.0)],
    }
    steady = make_result(scenario="steady", details=details)

    memory, delay, pulse = timelines(steady)
    files = write({"steady": steady}.get, tmp_path)

    assert memory.lines == {"nats": [(0.0, 1.0), (3.0, 2.0)]}
    assert delay.lines == {"p50": [(0.0, 1.5), (1.0, 1.6)], "p99": [(0.0, 9.0), (1.0, 8.0)]}
    assert pulse.lines == {"the same loop": [(0.0, 1.2), (0.5, 1.3)]}
    assert [file.name for file in files] == ["steady-memory.svg", "steady-delay.svg", "steady-pulse.svg"]
    lines = [element for element in ET.fromstring(files[1].read_text()).iter() if element.tag.endswith("path")]
    assert len(lines) == 2

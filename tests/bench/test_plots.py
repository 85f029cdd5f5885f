from xml.etree import ElementTree as ET

from taskwire_bench.plots import Bar, Chart, draw
from taskwire_bench.spread import Spread


def test_a_chart_is_a_picture_with_a_bar_for_each_row() -> None:
    chart = Chart("c", "Fast & <small>", "tasks/s", [Bar("a", Spread.of([1, 2, 3]), True), Bar("b", Spread.of([0]))])
    root = ET.fromstring(draw(chart))

    bars = [element for element in root.iter() if element.get("class", "").startswith("bar")]
    widths = [float(element.get("width", "0")) for element in bars]
    assert len(bars) == 2
    assert widths[0] > widths[1]

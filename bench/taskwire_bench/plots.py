"""Results as pictures: bars from zero for the medians, and on each a line from the least to the greatest value."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

from msgspec import Struct

from taskwire_bench import timeline
from taskwire_bench.results import Result
from taskwire_bench.spread import Spread
from taskwire_bench.timeline import Timeline

_WIDTH, _LABEL, _VALUE = 840, 330, 110
_ROW, _TOP, _BOTTOM = 30, 46, 34
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}.title{font-weight:600;font-size:15px}"
    ".note{font-size:11px;fill:#777}.bar{fill:#9db8d9}.own{fill:#2f6fb7}.range{stroke:#222;stroke-width:1.5}"
)


class Bar(Struct, frozen=True):
    """One row of a chart."""

    label: str
    spread: Spread
    is_ours: bool = False


class Chart(Struct, frozen=True):
    """A chart: what it is called, what its numbers are, and its rows."""

    file: str
    title: str
    unit: str
    bars: Sequence[Bar]
    note: str = ""


def draw(chart: Chart) -> str:
    """Return a chart as SVG."""
    height = _TOP + _ROW * len(chart.bars) + _BOTTOM
    greatest = max((bar.spread.maximum for bar in chart.bars), default=0.0) or 1.0
    scale = (_WIDTH - _LABEL - _VALUE) / greatest
    rows = "\n".join(_row(bar, _TOP + number * _ROW, scale) for number, bar in enumerate(chart.bars))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">\n'
        f"<title>{escape(chart.title)}</title><style>{_STYLE}</style>\n"
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>\n'
        f'<text class="title" x="12" y="26">{escape(chart.title)} ({escape(chart.unit)})</text>\n{rows}\n'
        f'<text class="note" x="12" y="{height - 12}">{escape(chart.note)}</text>\n</svg>\n'
    )


def _row(bar: Bar, y: float, scale: float) -> str:
    spread = bar.spread
    middle = y + _ROW / 2
    end = _LABEL + spread.median * scale
    low, high = _LABEL + spread.minimum * scale, _LABEL + spread.maximum * scale
    kind = "bar own" if bar.is_ours else "bar"
    number = f"{spread.median:,.0f}" if spread.median >= 100 else f"{spread.median:.3g}"
    return (
        f'<text x="{_LABEL - 8}" y="{middle + 4:.1f}" text-anchor="end">{escape(bar.label)}</text>'
        f'<rect class="{kind}" x="{_LABEL}" y="{y + 5:.1f}" width="{max(1.0, end - _LABEL):.1f}" height="{_ROW - 10}"/>'
        f'<line class="range" x1="{low:.1f}" x2="{high:.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>'
        f'<text x="{max(end, high) + 8:.1f}" y="{middle + 4:.1f}">{number}</text>'
    )


def _named(result: Result, names: Mapping[str, str], *, ours: Sequence[str] = ()) -> list[Bar]:
    found = ((name, label, result.figure(name)) for name, label in names.items())
    return [Bar(label, figure.spread, name in ours) for name, label, figure in found if figure is not None]


def charts(find: Callable[[str], Result | None]) -> list[Chart]:
    """Return a chart for each scenario that has a usable result."""
    made = ((make, find(scenario)) for scenario, make in _CHARTS)
    return [chart for make, result in made if result is not None and (chart := make(result)).bars]


def _note(result: Result) -> str:
    facts = result.conditions
    return (
        f"{facts.cores} cores, {facts.processor}, {facts.moment[:10]}, commit {facts.commit[:12]}; line: least to most"
    )


def _throughput(result: Result) -> Chart:
    names = {"throughput": "Taskwire, end to end", "limit": "Postgres alone, the same statements"}
    bars = _named(result, names, ours=["throughput"])
    return Chart("throughput", "Throughput and its limit", "tasks/s", bars, _note(result))


def _peers(result: Result) -> Chart:
    titles = {name: str(kept.get("title", "Taskwire")) for name, kept in result.details.get("keeps", {}).items()}
    bars = sorted(_named(result, titles, ours=["taskwire"]), key=lambda bar: -bar.spread.median)
    return Chart("peers", "Throughput in the same run", "tasks/s", bars, _note(result))


def _latency(result: Result) -> Chart:
    what = {
        "reply": "create reply",
        "start": "create to start",
        "event": "commit to event",
        "result": "create to result",
    }
    names = {f"latency.500.{key}.{share}": f"{text}, {share}" for key, text in what.items() for share in ("p50", "p99")}
    return Chart("latency", "Latency at 500 tasks/s", "ms", _named(result, names, ours=list(names)), _note(result))


def _unary(result: Result) -> Chart:
    names: dict[str, str] = {}
    for number in (1, 16, 64, 256):
        names |= {f"unary.{number}": f"CreateTask, {number} in flight", f"unary.{number}.empty": "empty call"}
    ours = [name for name in names if not name.endswith("empty")]
    return Chart("unary", "Calls one by one", "calls/s", _named(result, names, ours=ours), _note(result))


def _payload(result: Result) -> Chart:
    names = {figure.name: f"{int(figure.name.split('.')[1]):,} bytes" for figure in result.figures}
    return Chart("payload", "Throughput by payload", "tasks/s", _named(result, names, ours=list(names)), _note(result))


def _growth(result: Result) -> Chart:
    names = {
        figure.name: f"{int(figure.name.split('.')[1]):,} finished tasks"
        for figure in result.figures
        if figure.name.endswith(".throughput")
    }
    bars = _named(result, names, ours=list(names))
    return Chart("growth", "Throughput by finished tasks in place", "tasks/s", bars, _note(result))


def _processes(result: Result) -> Chart:
    names = {}
    for figure in result.figures:
        _, services, *replicated = figure.name.split(".")
        text = services.replace("x", " gateways, ") + " processors"
        names[figure.name] = f"{text}, 3 NATS" if replicated else text
    bars = _named(result, names, ours=list(names))
    return Chart("processes", "Throughput by processes", "tasks/s", bars, _note(result))


def _cpu(result: Result) -> Chart:
    used = result.cpu.get(result.scenario, {})
    # Seconds per 1,000 tasks are milliseconds for each.
    spreads = {role: Spread.of(1000 * value for value in spread.values) for role, spread in used.items()}
    bars = [Bar(role, spread, True) for role, spread in sorted(spreads.items(), key=lambda item: -item[1].median)]
    return Chart("cpu", "CPU of a task by process", "us", bars, _note(result))


_CHARTS: Sequence[tuple[str, Callable[[Result], Chart]]] = (
    ("throughput", _throughput),
    ("throughput", _cpu),
    ("peers", _peers),
    ("unary", _unary),
    ("latency", _latency),
    ("payload", _payload),
    ("growth", _growth),
    ("processes", _processes),
)


def timelines(result: Result) -> list[Timeline]:
    """Return what `steady` has seen over time."""
    if "rate" not in result.details:
        return []
    phases = result.details["phases"]
    note = f"{result.details['rate']:,.0f} tasks/s; {_note(result).partition(';')[0]}"
    memory = result.details["memory"]
    by_role = {role: [(at, used[role] / 1024**2) for at, used in memory] for role in memory[0][1]}
    delays = {
        name: [(second[0], second[place]) for second in result.details["seconds"]]
        for name, place in (("p50", 2), ("p99", 3))
    }
    beats = {"the same loop": [(at, ms) for at, ms in result.details["pulse"]]}
    return [
        Timeline("steady-memory", "Memory at half of the maximum", "MiB", by_role, phases, note),
        Timeline("steady-delay", "From commit to event, of one second each", "ms", delays, phases, note),
        Timeline("steady-pulse", "CPU of the same loop, twice a second", "ms", beats, phases, note),
    ]


def write(find: Callable[[str], Result | None], folder: Path) -> list[Path]:
    """Write the charts of all usable results into a folder and return their files."""
    steady = find("steady")
    pictures = {chart.file: draw(chart) for chart in charts(find)}
    pictures |= {one.file: timeline.draw(one) for one in (timelines(steady) if steady else ())}
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, picture in pictures.items():
        file = folder / f"{name}.svg"
        file.write_text(picture)
        files.append(file)
    return files

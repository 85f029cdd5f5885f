"""Values over time as a picture: a line for each series, and grey where something was done to the system."""

from collections.abc import Mapping, Sequence
from html import escape

from msgspec import Struct

_WIDTH, _HEIGHT = 760, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 130, 46, 56
_COLOURS = ("#2f6fb7", "#c8553d", "#4c9f70", "#8a6fb3", "#b08b2e")
_GRID_LINES = 4
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}.title{font-weight:600;font-size:15px}"
    ".note{font-size:11px;fill:#777}.phase{fill:#eee}.grid{stroke:#ddd}path{fill:none;stroke-width:1.5}"
)

Points = Sequence[tuple[float, float]]
"""Seconds since the start, and the value then."""


class Timeline(Struct, frozen=True):
    """A chart: what it is called, what its numbers are, and its lines."""

    file: str
    title: str
    unit: str
    lines: Mapping[str, Points]
    phases: Mapping[str, tuple[float, float]] = {}
    """What was done, from when to when, in seconds."""
    note: str = ""


def draw(timeline: Timeline) -> str:
    """Return a chart as SVG, from zero up to the greatest value."""
    points = [point for line in timeline.lines.values() for point in line]
    across = (_WIDTH - _LEFT - _RIGHT) / (max((at for at, _ in points), default=0.0) or 1.0)
    greatest = max((value for _, value in points), default=0.0) or 1.0
    up = (_HEIGHT - _TOP - _BOTTOM) / greatest
    parts = [_phase(name, *span, across) for name, span in timeline.phases.items()]
    parts += [_grid_line(greatest * step / _GRID_LINES, up) for step in range(_GRID_LINES + 1)]
    parts += [_line(number, name, line, across, up) for number, (name, line) in enumerate(timeline.lines.items())]
    body = "\n".join(parts)
    title = escape(f"{timeline.title} ({timeline.unit}, by seconds)")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">\n'
        f"<title>{escape(timeline.title)}</title><style>{_STYLE}</style>\n"
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>\n'
        f'<text class="title" x="12" y="26">{title}</text>\n{body}\n'
        f'<text class="note" x="12" y="{_HEIGHT - 12}">{escape(timeline.note)}</text>\n</svg>\n'
    )


def _phase(name: str, begin: float, end: float, across: float) -> str:
    x, width = _LEFT + begin * across, (end - begin) * across
    bottom = _HEIGHT - _BOTTOM
    return (
        f'<rect class="phase" x="{x:.1f}" y="{_TOP}" width="{width:.1f}" height="{bottom - _TOP}"/>'
        f'<text class="note" x="{x + width / 2:.1f}" y="{bottom + 16}" text-anchor="middle">{escape(name)}</text>'
    )


def _grid_line(value: float, up: float) -> str:
    y = _HEIGHT - _BOTTOM - value * up
    number = f"{value:,.0f}" if value >= _GRID_LINES else f"{value:.2g}"
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{number}</text>'
    )


def _line(number: int, name: str, points: Points, across: float, up: float) -> str:
    colour = _COLOURS[number % len(_COLOURS)]
    places = [(_LEFT + at * across, _HEIGHT - _BOTTOM - value * up) for at, value in points]
    steps = " ".join(f"{'L' if index else 'M'}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(places))
    return (
        f'<path d="{steps}" stroke="{colour}"/>'
        f'<text x="{_WIDTH - _RIGHT + 10}" y="{_TOP + 12 + 18 * number}" style="fill:{colour}">{escape(name)}</text>'
    )

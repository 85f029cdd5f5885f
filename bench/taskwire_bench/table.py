"""Results as text, for a terminal and for Markdown alike."""

from collections.abc import Sequence

from taskwire_bench.results import Result
from taskwire_bench.targets import Judged

_CPU_DIGITS = 3


def verdicts(judged: Sequence[Judged]) -> str:
    """Return the table of targets."""
    rows = [
        (
            item.target.title,
            _number(item.median),
            "" if item.minimum is None else f"{_number(item.minimum)} to {_number(item.maximum)}",
            item.unit,
            item.target.text,
            item.verdict.value,
            item.note,
        )
        for item in judged
    ]
    return _table(("figure", "median", "min to max", "unit", "target", "verdict", "note"), rows)


def figures(result: Result) -> str:
    """Return everything that one scenario has measured."""
    rows = [
        (
            figure.name,
            _number(figure.spread.median),
            f"{_number(figure.spread.minimum)} to {_number(figure.spread.maximum)}",
            figure.unit,
        )
        for figure in result.figures
    ]
    rows += [(name, "NOT MEASURED", "", why) for name, why in result.missing.items()]
    return _table((result.scenario, "median", "min to max", "unit"), rows)


def cpu(result: Result) -> str:
    """Return the CPU seconds per 1,000 tasks, a row for each measurement and a column for each role."""
    roles = list(dict.fromkeys(role for by_role in result.cpu.values() for role in by_role))
    rows = [
        (name, *(f"{by_role[role].median:.{_CPU_DIGITS}f}" if role in by_role else "" for role in roles))
        for name, by_role in result.cpu.items()
    ]
    return _table(("CPU seconds per 1,000", *roles), rows)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (head, rule, *rows)
    )

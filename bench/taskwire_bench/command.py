"""The command line."""

import argparse
import asyncio
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from msgspec import Struct

from taskwire_bench import conditions, plots, table
from taskwire_bench.conditions import REPOSITORY
from taskwire_bench.plan import Plan
from taskwire_bench.results import Result, Shelf
from taskwire_bench.targets import Verdict, judge

RESULTS = REPOSITORY / "bench" / "results"
_SHORT_TRIES = 3
"""Before the short form has failed: a machine that has other things to do now and then must not fail a change."""


class Size(Struct, frozen=True):
    """How much of a scenario makes a figure, and how much makes sure that it runs."""

    count: int
    runs: int
    short_count: int
    short_runs: int = 1
    together: bool = True
    """Whether `make bench` runs it; the others are run once, by name."""


SCENARIOS: Mapping[str, Size] = {
    # Short runs differ much, so that it takes several pairs for a median to trust; shorter ones mostly begin and end.
    "throughput": Size(100_000, 5, 30_000, short_runs=5),
    "unary": Size(20_000, 5, 2_000),
    "latency": Size(10_000, 3, 500),
    "watchers": Size(10_000, 1, 200),
    "payload": Size(20_000, 3, 2_000),
    "peers": Size(100_000, 5, 2_000),
    "growth": Size(10_000_000, 5, 20_000, together=False),
    "steady": Size(600, 1, 20, together=False),
    "processes": Size(100_000, 3, 5_000, together=False),
    "verify": Size(10_000_000, 1, 20_000, together=False),
}
"""The count is of tasks: per run, or in place for growth and verify; of watchers; of seconds for steady."""


def main(argv: Sequence[str]) -> int:
    """Measure, print and keep. Return 0 when everything asked for was measured and reached its target."""
    arguments = _parser().parse_args(argv)
    shelf = Shelf(arguments.out / "short" if arguments.short else arguments.out)
    if arguments.plots:
        for file in plots.write(lambda name: _usable(shelf, name), arguments.plots):
            print(file)
        return 0
    names = arguments.scenario or [name for name, size in SCENARIOS.items() if size.together]
    if arguments.short:
        return 0 if any(_passes(names, arguments, shelf) for _ in range(_SHORT_TRIES)) else 1
    failed = [name for name in names if not asyncio.run(_measure(name, arguments, shelf))]
    # The whole table, with what was measured before on the same code, when everything is asked for.
    judged = judge(lambda name: _usable(shelf, name), arguments.scenario or list(SCENARIOS))
    print(f"\n{table.verdicts(judged)}")
    return 0 if not failed and all(item.verdict is Verdict.MET for item in judged) else 1


def _passes(names: Sequence[str], arguments: argparse.Namespace, shelf: Shelf) -> bool:
    """Tell whether everything could be measured in its short form, and throughput is near enough to its limit."""
    measured = [asyncio.run(_measure(name, arguments, shelf)) for name in names]
    return all(measured) and _is_efficient(shelf, names, arguments.least_efficiency)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taskwire_bench", description=__doc__)
    parser.add_argument("scenario", nargs="*", choices=[*SCENARIOS, []], help="all that `make bench` runs, if none")
    parser.add_argument("--count", type=int, help="how many, instead of the usual number")
    parser.add_argument("--runs", type=int, help="how often, instead of the usual number")
    parser.add_argument("--short", action="store_true", help="small counts: shows that it runs, makes no figures")
    parser.add_argument("--least-efficiency", type=float, default=0.6, help="with --short, what throughput must reach")
    parser.add_argument("--plots", type=Path, help="a folder: measure nothing, draw what is usable")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder of the results")
    return parser


async def _measure(name: str, arguments: argparse.Namespace, shelf: Shelf) -> bool:
    """Measure one scenario. Whatever goes wrong in it, the others are still to be measured."""
    size = SCENARIOS[name]
    plan = Plan(
        count=arguments.count or (size.short_count if arguments.short else size.count),
        runs=arguments.runs or (size.short_runs if arguments.short else size.runs),
        say=lambda text: print(text, flush=True),
        is_short=arguments.short,
    )
    try:
        result: Result = await import_module(f"taskwire_bench.scenarios.{name}").measure(plan)
    except Exception as error:  # noqa: BLE001
        print(f"{name} could not be measured:", file=sys.stderr)
        traceback.print_exception(error)
        return False
    file = shelf.keep(result)
    print(f"\n{table.figures(result)}\n")
    if result.cpu:
        print(f"{table.cpu(result)}\n")
    print(f"kept in {file}", flush=True)
    return not result.missing


def _usable(shelf: Shelf, name: str) -> Result | None:
    """Return a result only when it is of the code that is here now."""
    result = shelf.find(name)
    return result if result is not None and result.conditions.code == conditions.code() else None


def _is_efficient(shelf: Shelf, names: Sequence[str], least: float) -> bool:
    result = shelf.find("throughput") if "throughput" in names else None
    figure = None if result is None else result.figure("efficiency")
    if figure is None:
        return "throughput" not in names
    print(f"efficiency {figure.spread.median:.2f}, at least {least} is needed")
    return figure.spread.median >= least

"""The command line: run a campaign, judge an old one, try the planted bugs."""

import argparse
import asyncio
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import structs

from taskwire_chaos.bugs.catalogue import BUGS
from taskwire_chaos.campaign import judge_folder, run_campaign
from taskwire_chaos.counts import count
from taskwire_chaos.history import read_history
from taskwire_chaos.hunt import hunt
from taskwire_chaos.layout import RunFolder
from taskwire_chaos.lengths import LENGTHS
from taskwire_chaos.report import describe, describe_hunt
from taskwire_chaos.small_disks import separate

RUNS = Path(".taskwire") / "chaos"


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say. Returns 0 when every promise was kept, 1 when not."""
    arguments = _parser().parse_args(argv)
    separate()
    answer: int = arguments.act(arguments)
    return answer


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taskwire_chaos", description=__doc__)
    verbs = parser.add_subparsers(required=True)
    run = verbs.add_parser("run", help="break a running Taskwire and judge it")
    run.add_argument("length", choices=LENGTHS)
    run.add_argument("--seed", type=int, help="chooses the same faults again (default: a fresh one, which is printed)")
    run.add_argument("--seconds", type=float, help="how long to break things instead; no counts to reach then")
    run.add_argument("--faults", help="only those whose names contain one of these words, separated by commas")
    run.add_argument("--folder", type=Path, help=f"where to keep what everybody saw (default: one in {RUNS})")
    run.set_defaults(act=_run)
    bugs = verbs.add_parser("bugs", help="plant every bug, and see that it is found")
    bugs.add_argument("modules", nargs="*", help="only these")
    bugs.add_argument("--seed", type=int, default=1)
    bugs.add_argument("--sound", action="store_true", help="plant none: the same campaigns must be clean")
    bugs.set_defaults(act=_bugs)
    counts = verbs.add_parser("count", help="count what a run has tried, as JSON")
    counts.add_argument("folder", type=Path)
    counts.set_defaults(act=_count)
    check = verbs.add_parser("check", help="judge a run again")
    check.add_argument("folder", type=Path)
    check.set_defaults(act=_check)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(1_000_000)
    folder = RunFolder(arguments.folder or RUNS / f"{time.strftime('%Y%m%d-%H%M%S')}-{arguments.length}-{seed}")
    plan = LENGTHS[arguments.length]
    if arguments.seconds is not None:
        # Of another length, it has no counts to reach.
        weather = structs.replace(plan.weather, seconds=arguments.seconds)
        plan = structs.replace(plan, weather=weather, least_faults={}, least_counts={})
    if arguments.faults:
        words = arguments.faults.split(",")
        plan = structs.replace(
            plan, faults=tuple(kind for kind in plan.faults if any(word in kind.name for word in words))
        )
    print(f"chaos {plan.name}, seed {seed}, in {folder.path}", flush=True)
    outcome = asyncio.run(run_campaign(plan, folder, seed))
    print(describe(outcome))
    return 0 if outcome.is_clean else 1


def _bugs(arguments: argparse.Namespace) -> int:
    chosen = [bug for bug in BUGS if not arguments.modules or bug.module in arguments.modules]
    hunts = []
    for bug in chosen:
        folder = RunFolder(RUNS / f"{time.strftime('%Y%m%d-%H%M%S')}-{bug.module}")
        hunts.append(asyncio.run(hunt(bug, folder, arguments.seed, planted=not arguments.sound)))
        print(describe_hunt(hunts[-1]), flush=True)
    return 0 if all(one.is_as_it_should for one in hunts) else 1


def _count(arguments: argparse.Namespace) -> int:
    print(msgspec.json.encode(count(read_history(RunFolder(arguments.folder)))).decode())
    return 0


def _check(arguments: argparse.Namespace) -> int:
    outcome = judge_folder(RunFolder(arguments.folder))
    print(describe(outcome))
    return 0 if outcome.is_clean else 1

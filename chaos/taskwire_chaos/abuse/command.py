"""The command line of abuse."""

import argparse
import asyncio
import secrets
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from taskwire_chaos.abuse.run import run

RUNS = Path(".taskwire") / "abuse"
COUNT = 200_000


def main(argv: Sequence[str] | None = None) -> int:
    """Abuse a running gateway. Returns 0 when it has borne everything, 1 when not."""
    parser = argparse.ArgumentParser(prog="taskwire_chaos.abuse", description=main.__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help="how many inputs (default %(default)s)")
    parser.add_argument("--seed", type=int, help="makes the same inputs again (default: a fresh one, which is printed)")
    parser.add_argument(
        "--folder", type=Path, help=f"for the servers, the logs and the report (default: one in {RUNS})"
    )
    arguments = parser.parse_args(argv)
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(1_000_000)
    folder = (arguments.folder or RUNS / f"{time.strftime('%Y%m%d-%H%M%S')}-{seed}").absolute()
    _say(f"{arguments.count:,} inputs, seed {seed}, in {folder}")
    record = asyncio.run(run(folder, seed, arguments.count, _say))
    (folder / "report.json").write_bytes(record.as_json())
    # Some gigabytes, of which nothing else can be learned.
    for servers in ("postgres", "nats"):
        shutil.rmtree(folder / servers, ignore_errors=True)
    _say(record.as_page())
    return 1 if record.violation_count else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()

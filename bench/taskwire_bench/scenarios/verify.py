"""How long `taskwire verify` takes for many finished tasks, and in how much memory."""

import asyncio
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from taskwire_bench import conditions
from taskwire_bench.failure import Dishonest
from taskwire_bench.history import fill
from taskwire_bench.plan import Plan
from taskwire_bench.results import Figure, Result
from taskwire_bench.site import Site
from taskwire_bench.spread import Spread
from taskwire_shared.store.database import Database
from taskwire_shared.store.partitions import ensure_partitions

DAYS = 4
"""That the tasks are spread over."""
_LOOK_SECONDS = 0.1


async def measure(plan: Plan) -> Result:
    """Measure with `plan.count` finished tasks of the last days in place."""
    observed = conditions.observe()
    async with Site.open() as site:
        url = await site.database("bench")
        tasks = await _fill_days(url, plan.count)
        runs = []
        for _ in range(plan.runs):
            runs.append(await asyncio.to_thread(_verify, url, site.nats_url, tasks))
            plan.say(f"verify: {tasks:,} tasks in {runs[-1][0]:.1f} s and {runs[-1][1]:.0f} MiB")
        settings = await site.postgres_settings()
    figures = (
        Figure(name=f"verify.{tasks}.seconds", unit="s", spread=Spread.of(seconds for seconds, _ in runs)),
        Figure(name=f"verify.{tasks}.memory", unit="MiB", spread=Spread.of(mebibytes for _, mebibytes in runs)),
    )
    return Result(scenario="verify", count=tasks, conditions=observed, settings=settings, figures=figures)


async def _fill_days(url: str, count: int) -> int:
    each = max(1, count // DAYS)
    async with Database.open(url, pool_size=1, name="taskwire bench") as db:
        for back in range(DAYS, 0, -1):
            day = datetime.now(UTC).date() - timedelta(days=back)
            await ensure_partitions(db, today=day, days_ahead=0, days_behind=0)
            await fill(url, each, day=day)
    return each * DAYS


def _verify(database_url: str, nats_url: str, tasks: int) -> tuple[float, float]:
    """Run the command as an operator does, and return its seconds and the peak of its memory in MiB."""
    command = (Path(sys.executable).with_name("taskwire"), "verify")
    environment = {**os.environ, "TASKWIRE_DATABASE_URL": database_url, "TASKWIRE_NATS_URL": nats_url}
    started, kibibytes = time.perf_counter(), 0
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            kibibytes = max(kibibytes, _peak_kibibytes(process.pid))
            time.sleep(_LOOK_SECONDS)
        seconds = time.perf_counter() - started
        report = process.stdout.read() if process.stdout else ""
    if process.returncode != 0 or f"Nothing is broken: {tasks:,} tasks" not in report:
        raise Dishonest(f"taskwire verify did not look at {tasks:,} sound tasks:\n{report}")
    return seconds, kibibytes / 1024


def _peak_kibibytes(pid: int) -> int:
    # What `wait4` says begins with the memory of the process that made this one.
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)

"""What finished tasks in place cost those that run, and what it costs to let a day of them go."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from taskwire_bench import conditions
from taskwire_bench.failure import Dishonest
from taskwire_bench.generator import Generator
from taskwire_bench.history import fill, sizes, tasks_on
from taskwire_bench.load import orders, reports
from taskwire_bench.plan import Plan
from taskwire_bench.results import Figure, Result
from taskwire_bench.rig import Rig, Run
from taskwire_bench.site import SERVICE_SETTINGS, Site
from taskwire_bench.spread import Spread
from taskwire_shared.domain import defaults
from taskwire_shared.store.database import Database
from taskwire_shared.store.partitions import ensure_partitions
from taskwire_shared.store.retention import forget_old_tasks

RUN_TASKS = 100_000
_OLD_SHARE = 0.1
"""Of the greatest number: the tasks on the day that is dropped."""


async def measure(plan: Plan) -> Result:
    """Measure with none, with a tenth of, and with `plan.count` finished tasks in today's tables."""
    observed = conditions.observe()
    tasks = min(RUN_TASKS, max(2_000, plan.count // 10))
    figures: list[Figure] = []
    async with Site.open() as site, Rig.open(site) as rig:
        await rig.pass_through(tasks)
        await rig.books.clear()
        empty: list[Run] = []
        runs: list[Run] = []
        in_place = 0
        for step in (0, plan.count // 10, plan.count):
            if step > in_place:
                await fill(rig.database_url, step - in_place)
                in_place = step
            runs = [await rig.pass_through(tasks, clear=False) for _ in range(plan.runs)]
            empty = empty or runs
            figures += _figures(step, runs, empty, await _claim_us(rig, tasks), await sizes(rig.database_url))
            plan.say(f"growth: {runs[-1].rate:,.0f} tasks/s with {step:,} finished tasks in place")
        figures += await _drop_a_day(rig, plan, tasks, Spread.of(run.rate for run in runs))
        settings = {**await site.postgres_settings(), **SERVICE_SETTINGS}
    return Result(scenario="growth", count=plan.count, conditions=observed, settings=settings, figures=tuple(figures))


async def _claim_us(rig: Rig, tasks: int) -> float:
    """Return the time of the claim for each task, by the bare statement on one connection, in microseconds."""
    order = orders.Limit(database_url=rig.database_url, tasks=tasks, connections=1)
    async with Generator.start(order, rig.site.folder) as generator:
        await generator.reached("ready")
        generator.go()
        return (await generator.report(reports.Looped)).claim_seconds / tasks * 1e6


async def _drop_a_day(rig: Rig, plan: Plan, tasks: int, usual: Spread) -> list[Figure]:
    """Let retention drop a day while tasks run, and compare these with the ones before."""
    day = datetime.now(UTC).date() - timedelta(days=defaults.RETENTION_DAYS + 2)
    old = max(1, round(plan.count * _OLD_SHARE))
    async with Database.open(rig.database_url, pool_size=2, name="taskwire bench") as db:
        await ensure_partitions(db, today=day, days_ahead=0, days_behind=0)
        await fill(rig.database_url, old, day=day)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(rig.pass_through(tasks, clear=False))
            started = time.perf_counter()
            await forget_old_tasks(db, retention=timedelta(days=defaults.RETENTION_DAYS))
            seconds = time.perf_counter() - started
    if await tasks_on(rig.database_url, day):
        raise Dishonest(f"the day {day} was not dropped")
    rate = running.result().rate
    plan.say(f"growth: {rate:,.0f} tasks/s while a day of {old:,} tasks is dropped in {seconds:.2f} s")
    return [
        Figure(name="growth.drop.seconds", unit="s", spread=Spread.of([seconds])),
        Figure(name="growth.drop.ratio", unit="x", spread=Spread.of([rate / usual.median])),
    ]


def _figures(step: int, runs: list[Run], empty: list[Run], claim_us: float, size: dict[str, int]) -> list[Figure]:
    name = f"growth.{step}"
    usual = Spread.of(run.rate for run in empty).median
    return [
        Figure(name=f"{name}.throughput", unit="tasks/s", spread=Spread.of(run.rate for run in runs)),
        Figure(name=f"{name}.ratio", unit="x", spread=Spread.of(run.rate / usual for run in runs)),
        Figure(name=f"{name}.claim", unit="us/task", spread=Spread.of([claim_us])),
        *(
            Figure(name=f"{name}.{what}", unit="MiB", spread=Spread.of([size_bytes / 1024**2]))
            for what, size_bytes in size.items()
        ),
    ]

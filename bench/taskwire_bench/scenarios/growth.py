"""What finished tasks in place cost those that run, and what it costs to let a day of them go."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

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


class Pair(NamedTuple):
    """Two passes, by turns."""

    empty: Run
    grown: Run


async def measure(plan: Plan) -> Result:
    """Measure with a tenth of, and with `plan.count` finished tasks in today's tables, by turns with empty tables."""
    observed = conditions.observe()
    tasks = min(RUN_TASKS, max(2_000, plan.count // 10))
    pairs: list[Pair] = []
    figures: list[Figure] = []
    async with (
        Site.open() as site,
        Rig.open(site) as grown,
        Rig.open(site, database="empty", nats_prefix="empty") as empty,
    ):
        for rig in (grown, empty):
            await rig.pass_through(tasks)
        await grown.books.clear()
        in_place = 0
        for step in (plan.count // 10, plan.count):
            await fill(grown.database_url, step - in_place)
            in_place = step
            here = [await _pair(empty, grown, tasks, empty_first=turn % 2 == 0) for turn in range(plan.runs)]
            figures += await _figures(step, [pair.grown for pair in here], grown, tasks)
            ratios = Spread.of(pair.grown.rate / pair.empty.rate for pair in here)
            figures.append(Figure(name=f"growth.{step}.ratio", unit="x", spread=ratios))
            plan.say(f"growth: {ratios.median:.2f} of the throughput with {step:,} finished tasks in place")
            pairs += here
        figures = [*await _figures(0, [pair.empty for pair in pairs], empty, tasks), *figures]
        figures += await _drop_a_day(grown, plan, tasks, Spread.of(pair.grown.rate for pair in pairs[-plan.runs :]))
        settings = {**await site.postgres_settings(), **SERVICE_SETTINGS}
    return Result(scenario="growth", count=plan.count, conditions=observed, settings=settings, figures=tuple(figures))


async def _pair(empty: Rig, grown: Rig, tasks: int, *, empty_first: bool) -> Pair:
    """Run a pass on each, one just after the other: the machine changes by more than what is looked for."""
    runs: dict[Rig, Run] = {}
    for rig in (empty, grown) if empty_first else (grown, empty):
        await rig.books.write_down()
        runs[rig] = await rig.pass_through(tasks, clear=rig is empty)
    return Pair(runs[empty], runs[grown])


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


async def _figures(step: int, runs: Sequence[Run], rig: Rig, tasks: int) -> list[Figure]:
    name = f"growth.{step}"
    claim_us = await _claim_us(rig, tasks)
    size = await sizes(rig.database_url)
    return [
        Figure(name=f"{name}.throughput", unit="tasks/s", spread=Spread.of(run.rate for run in runs)),
        Figure(name=f"{name}.claim", unit="us/task", spread=Spread.of([claim_us])),
        *(
            Figure(name=f"{name}.{what}", unit="MiB", spread=Spread.of([size_bytes / 1024**2]))
            for what, size_bytes in size.items()
        ),
    ]

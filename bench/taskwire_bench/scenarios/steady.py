"""Half the maximum for a long time: does anything grow, and does an open transaction of somebody else slow us down?

The maximum is that of what is measured: with a watch of everything open, up to the last event at the watching client.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
from msgspec import Struct

from taskwire_bench import conditions, pulse
from taskwire_bench.cpu import tree_bytes
from taskwire_bench.generator import Generator
from taskwire_bench.load import orders, reports
from taskwire_bench.plan import Plan
from taskwire_bench.results import Figure, Result
from taskwire_bench.rig import Rig, this_moment
from taskwire_bench.site import SERVICE_SETTINGS, Site
from taskwire_bench.spread import Spread, percentile

_LOG_FILES = 512
"""That it takes until Postgres begins to use the first ones again, at 14 MiB/s after nine minutes. With ones that were
made meanwhile, the p99 of a second at 6,000 tasks/s was 50 instead of 22 ms."""
_REHEARSAL_TASKS_PER_SECOND = 100
"""Of the duration: how many tasks the maximum is taken from."""
_JUDGED = ("gateway", "processor", "nats")
"""Postgres fills its shared buffers, which is not growth, and to look at it disturbs (see `tree_bytes`)."""
_SAMPLES = 60
# Shares of the duration. The first tenth is what the others are compared with.
_CALM = (0.0, 0.1)
_READING = (0.2, 0.5)
_WRITING = (0.6, 0.9)


class Memory(Struct, frozen=True, array_like=True):
    """What each role had at a moment."""

    at: float
    bytes: dict[str, int]


async def measure(plan: Plan) -> Result:
    """Hold half of the maximum for `plan.count` seconds."""
    observed = conditions.observe()
    async with Site.open(log_files=_LOG_FILES) as site, Rig.open(site) as rig:
        tasks = plan.count * _REHEARSAL_TASKS_PER_SECOND
        await _maximum(rig, tasks)
        rate = await _maximum(rig, tasks) / 2
        await rig.books.clear()
        plan.say(f"steady: {rate:,.0f} tasks/s for {plan.count} s")
        since, started = this_moment(), time.time()
        order = orders.Steady(address=rig.addresses[0], seconds=plan.count, rate=rate)
        expected = int(plan.count * rate / order.batch) * order.batch + int(plan.count / order.probe_seconds)
        feed = orders.Feed(address=rig.addresses[0], tasks=expected, patience_seconds=plan.count + 120.0)
        memory: list[Memory] = []
        beats: list[pulse.Beat] = []
        async with Generator.start(feed, site.folder) as follower, Generator.start(order, site.folder) as generator:
            await follower.reached("opened")
            await generator.reached("ready")
            follower.go()
            generator.go()
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(_watch_memory(rig, plan.count / _SAMPLES, memory))
                beating = group.create_task(pulse.follow(beats))
                disturbing = group.create_task(_disturb(rig.database_url, plan.count))
                held = await generator.report(reports.Held)
                followed = await follower.report(reports.Followed)
                await disturbing
                watching.cancel()
                beating.cancel()
        await rig.books.wait_until_done(patience_seconds=60.0)
        await rig.books.audit(held.tasks, since=since)
        settings = {**await site.postgres_settings(), **SERVICE_SETTINGS}
    return Result(
        scenario="steady",
        count=plan.count,
        conditions=observed,
        settings=settings,
        figures=(
            *_memory_figures(memory),
            *_latency_figures(held.probes, started, plan.count),
            _pulse_figure(beats, started, plan.count),
            *_phase_figures(followed.seconds, held.probes, started, plan.count),
        ),
        missing={"steady": "; ".join(followed.faults)} if followed.faults else {},
        details={
            "started": started,
            "rate": rate,
            "phases": {
                "a reading transaction is open": [share * plan.count for share in _READING],
                "a writing transaction is open": [share * plan.count for share in _WRITING],
            },
            "memory": [(one.at - started, one.bytes) for one in memory],
            "pulse": [(one.at - started, one.cpu_ms) for one in beats],
            "seconds": [(one.at - started, one.events, one.p50_ms, one.p99_ms) for one in followed.seconds],
        },
    )


async def _maximum(rig: Rig, tasks: int) -> float:
    """Return how many tasks per second pass through while somebody watches all of them, up to the last event."""
    order = orders.Feed(address=rig.addresses[0], tasks=tasks)
    async with Generator.start(order, rig.site.folder) as follower:
        await follower.reached("opened")
        follower.go()
        await rig.pass_through(tasks)
        followed = await follower.report(reports.Followed)
    return tasks / (followed.last_event_ns - followed.first_event_ns) * 1e9


async def _watch_memory(rig: Rig, pause: float, memory: list[Memory]) -> None:
    while True:
        await asyncio.sleep(pause)
        roles = rig.roles()
        memory.append(Memory(time.time(), {role: sum(map(tree_bytes, roles[role])) for role in _JUDGED}))


async def _disturb(database_url: str, seconds: float) -> None:
    """Hold open a transaction that has read, later one that has written."""
    connection = await asyncpg.connect(database_url)
    start = time.monotonic()
    try:
        await connection.execute("CREATE TABLE bench_somebody_else (at timestamptz)")
        for (begin, end), statement in (
            (_READING, "SELECT count(*) FROM processors"),
            (_WRITING, "INSERT INTO bench_somebody_else VALUES (now())"),
        ):
            await asyncio.sleep(max(0.0, start + begin * seconds - time.monotonic()))
            async with connection.transaction(isolation="repeatable_read"):
                await connection.execute(statement)
                await asyncio.sleep(max(0.0, start + end * seconds - time.monotonic()))
    finally:
        await connection.close()


def _memory_figures(memory: Sequence[Memory]) -> list[Figure]:
    """Compare the last tenth with the second one: the first still fills caches."""
    tenth = max(1, len(memory) // 10)
    early, late = memory[tenth : 2 * tenth] or memory[:1], memory[-tenth:]
    growth = {role: _mean(late, role) / _mean(early, role) for role in _JUDGED}
    return [
        Figure(name="steady.memory_ratio", unit="x", spread=Spread.of([max(growth.values())])),
        *(
            Figure(name=f"steady.memory_ratio.{role}", unit="x", spread=Spread.of([ratio]))
            for role, ratio in growth.items()
        ),
        *(
            Figure(name=f"steady.memory.{role}", unit="MiB", spread=Spread.of([_mean(late, role) / 1024**2]))
            for role in late[0].bytes
        ),
    ]


def _latency_figures(probes: Sequence[reports.Probe], started: float, seconds: float) -> list[Figure]:
    """Return the p99 of each tenth of the time, and the worst of them against the first."""
    results = [(probe.due_ns / 1e9 - started, probe.result_ms) for probe in probes]
    p99 = _by_tenth(results, seconds, 0.99)
    return [
        Figure(name="steady.p99", unit="ms", spread=Spread.of(p99)),
        Figure(name="steady.p99_ratio", unit="x", spread=Spread.of([max(p99) / p99[0]])),
    ]


def _pulse_figure(beats: Sequence[pulse.Beat], started: float, seconds: float) -> Figure:
    """Return what the same work took in each tenth of the time."""
    took = [(beat.at - started, beat.cpu_ms) for beat in beats]
    return Figure(name="steady.pulse", unit="ms", spread=Spread.of(_by_tenth(took, seconds, 0.5)))


def _by_tenth(points: Sequence[tuple[float, float]], seconds: float, share: float) -> list[float]:
    """Return a percentile of the values in each tenth of the time that has some."""
    tenths: list[list[float]] = [[] for _ in range(10)]
    for at, value in points:
        tenths[min(9, int(at / seconds * 10))].append(value)
    return [percentile(values, share) for values in tenths if values]


def _phase_figures(
    feed: Sequence[reports.Second], probes: Sequence[reports.Probe], started: float, seconds: float
) -> list[Figure]:
    """Compare what happened beside each open transaction with the calm beginning."""

    def within(at: float, phase: tuple[float, float]) -> bool:
        return phase[0] <= (at - started) / seconds < phase[1]

    def facts(phase: tuple[float, float]) -> dict[str, float]:
        chosen: Any = [one for one in feed if within(one.at, phase)]
        single = [probe.result_ms for probe in probes if within(probe.due_ns / 1e9, phase)]
        return {
            "events": sum(one.events for one in chosen) / (phase[1] - phase[0]) / seconds,
            "feed_p99": percentile([one.p99_ms for one in chosen], 0.5),
            "task_p99": percentile(single, 0.99),
        }

    calm = facts(_CALM)
    return [
        Figure(name=f"steady.{name}.{what}_ratio", unit="x", spread=Spread.of([value / calm[what]]))
        for name, phase in (("reading", _READING), ("writing", _WRITING))
        for what, value in facts(phase).items()
    ]


def _mean(memory: Sequence[Memory], role: str) -> float:
    return sum(one.bytes[role] for one in memory) / len(memory)

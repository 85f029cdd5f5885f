"""Throughput by the size of the payload."""

from taskwire_bench import conditions
from taskwire_bench.plan import Plan
from taskwire_bench.results import Figure, Result
from taskwire_bench.rig import Rig, Run, cpu_of
from taskwire_bench.site import SERVICE_SETTINGS, Site
from taskwire_bench.spread import Spread

SIZES = (100, 1_024, 10_240, 65_536, 262_144)
_BATCH_BYTES_MAX = 3 * 1024**2
"""Of payloads in one message, which may have 4 MiB."""
_RUN_BYTES_MAX = 256 * 1024**2
"""Of payloads in one run: beyond it the disk is measured."""


async def measure(plan: Plan) -> Result:
    """Measure each size turn by turn."""
    observed = conditions.observe()
    runs: dict[int, list[Run]] = {size: [] for size in SIZES}
    async with Site.open() as site, Rig.open(site) as rig:
        await rig.pass_through(max(500, plan.count // 2))
        for number in range(plan.runs):
            for size in SIZES:
                tasks = max(1, min(plan.count, _RUN_BYTES_MAX // size))
                batch = max(1, min(500, _BATCH_BYTES_MAX // size))
                runs[size].append(await rig.pass_through(tasks, payload_bytes=size, batch=batch))
            plan.say(
                f"payload {number + 1}/{plan.runs}: " + ", ".join(f"{runs[size][-1].rate:,.0f}/s" for size in SIZES)
            )
        settings = {**await site.postgres_settings(), **SERVICE_SETTINGS}
    return Result(
        scenario="payload",
        count=plan.count,
        conditions=observed,
        settings=settings,
        figures=tuple(
            Figure(name=f"payload.{size}", unit="tasks/s", spread=Spread.of(run.rate for run in runs[size]))
            for size in SIZES
        ),
        cpu={f"{size} bytes": cpu_of(runs[size]) for size in SIZES},
    )

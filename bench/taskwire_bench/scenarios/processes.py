"""Throughput by the number of gateways and processors."""

from taskwire_bench import conditions
from taskwire_bench.plan import Plan
from taskwire_bench.results import Figure, Result
from taskwire_bench.rig import Rig, Run, cpu_of
from taskwire_bench.site import SERVICE_SETTINGS, Site
from taskwire_bench.spread import Spread

GRID = ((1, 1), (2, 1), (4, 1), (1, 2), (1, 4), (2, 2), (4, 4))
"""Gateways and processors."""


async def measure(plan: Plan) -> Result:
    """Measure each combination on servers of its own."""
    observed = conditions.observe()
    runs: dict[tuple[int, int], list[Run]] = {}
    settings: dict[str, str] = {}
    for gateways, processors in GRID:
        async with Site.open() as site, Rig.open(site, gateways=gateways, processors=processors) as rig:
            await rig.pass_through(max(500, plan.count // 3))
            runs[gateways, processors] = [await rig.pass_through(plan.count) for _ in range(plan.runs)]
            settings = {**await site.postgres_settings(), **SERVICE_SETTINGS}
        plan.say(f"{gateways} gateways, {processors} processors: {runs[gateways, processors][-1].rate:,.0f} tasks/s")
    return Result(
        scenario="processes",
        count=plan.count,
        conditions=observed,
        settings=settings,
        figures=tuple(
            Figure(
                name=f"processes.{gateways}x{processors}",
                unit="tasks/s",
                spread=Spread.of(run.rate for run in runs[gateways, processors]),
            )
            for gateways, processors in GRID
        ),
        cpu={
            f"{gateways} gateways, {processors} processors": cpu_of(runs[gateways, processors])
            for gateways, processors in GRID
        },
        missing={"nats.3": "the embedded NATS is one server: three replicas need a cluster"},
    )

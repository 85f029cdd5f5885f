"""Latency in an open loop: arrivals by the clock, measured from when they were due, so that a stall is not hidden."""

from collections.abc import Mapping

from taskwire_bench import conditions
from taskwire_bench.cpu import Usage
from taskwire_bench.generator import Generator
from taskwire_bench.load import orders, reports
from taskwire_bench.plan import Plan
from taskwire_bench.results import Figure, Result
from taskwire_bench.rig import Rig, this_moment
from taskwire_bench.site import SERVICE_SETTINGS, Site
from taskwire_bench.spread import Spread, percentiles

RATES = (100, 500, 2_000)
_WARM_UP_SECONDS = 2.0
Latencies = Mapping[str, list[float]]
"""Milliseconds by what they end with: the reply, the start of the handler, an event, the result."""


async def measure(plan: Plan) -> Result:
    """Measure at each rate. `plan.count` is of the tasks at the rate of the target; the others take as long."""
    observed = conditions.observe()
    seconds = plan.count / RATES[1]
    runs: dict[int, list[Latencies]] = {rate: [] for rate in RATES}
    cpu: dict[int, list[dict[str, float]]] = {rate: [] for rate in RATES}
    async with Site.open() as site, Rig.open(site) as rig:
        await pace(rig, RATES[1], round(RATES[1] * _WARM_UP_SECONDS))
        for number in range(plan.runs):
            for rate in RATES:
                latencies, used = await pace(rig, rate, max(1, round(rate * seconds)))
                runs[rate].append(latencies)
                cpu[rate].append(used)
            plan.say(f"latency {number + 1}/{plan.runs}: {_summary(runs[RATES[1]][-1])}")
        settings = {**await site.postgres_settings(), **SERVICE_SETTINGS}
    return Result(
        scenario="latency",
        count=plan.count,
        conditions=observed,
        settings=settings,
        figures=tuple(figure for rate in RATES for figure in _figures(rate, runs[rate])),
        cpu={f"{rate}/s": {role: Spread.of(one[role] for one in cpu[rate]) for role in cpu[rate][0]} for rate in RATES},
    )


async def pace(rig: Rig, rate: float, tasks: int) -> tuple[Latencies, dict[str, float]]:
    """Let tasks arrive by the clock. Return their latencies and the CPU seconds per 1,000 of them by role."""
    await rig.books.clear()
    since = this_moment()
    order = orders.Paced(address=rig.addresses[0], tasks=tasks, rate=rate)
    async with Generator.start(order, rig.site.folder) as generator:
        await generator.reached("ready")
        usage = Usage(rig.roles(client=generator.pid))
        generator.go()
        report = await generator.report(reports.Paced)
        used = usage.since()
    await rig.books.audit(tasks, since=since)
    # The handler says when it started, since nobody else can know.
    started_ns = {task_id: int(output) for task_id, output in (await rig.books.outputs(since=since)).items()}
    arrivals = report.arrivals
    latencies = {
        "reply": [(one.reply_ns - one.due_ns) / 1e6 for one in arrivals],
        "start": [(started_ns[one.task_id] - one.due_ns) / 1e6 for one in arrivals],
        "event": [delay for one in arrivals for delay in one.event_ms],
        "result": [(one.final_ns - one.due_ns) / 1e6 for one in arrivals],
    }
    return latencies, {role: seconds / tasks * 1000 for role, seconds in used.items()}


def _figures(rate: int, runs: list[Latencies]) -> list[Figure]:
    return [
        Figure(
            name=f"latency.{rate}.{what}.{name}",
            unit="ms",
            spread=Spread.of(percentiles(latencies[what])[name] for latencies in runs),
        )
        for what in runs[0]
        for name in percentiles(runs[0][what])
    ]


def _summary(latencies: Latencies) -> str:
    return ", ".join(f"{what} p50 {percentiles(values)['p50']:.1f} ms" for what, values in latencies.items())

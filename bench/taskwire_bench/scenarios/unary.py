"""One CreateTask per task, beside a call that does nothing: what a create costs above gRPC itself."""

from msgspec import Struct

from taskwire_bench import conditions
from taskwire_bench.cpu import Usage
from taskwire_bench.failure import Dishonest
from taskwire_bench.floor_process import Floor, floor
from taskwire_bench.generator import Generator
from taskwire_bench.load import orders, reports
from taskwire_bench.plan import Plan
from taskwire_bench.results import Figure, Result
from taskwire_bench.rig import Rig, this_moment
from taskwire_bench.site import SERVICE_SETTINGS, Site
from taskwire_bench.spread import Spread, percentiles

IN_FLIGHT = (1, 16, 64, 256)
_SINGLE_SHARE = 0.2
"""With one in flight a call waits for each commit, so that fewer make the same time."""


class Calls(Struct, frozen=True, kw_only=True):
    """Some calls, made one by one or side by side."""

    rate: float
    latency_ms: dict[str, float]
    cpu: dict[str, float]
    """CPU seconds per 1,000 calls by role."""


async def measure(plan: Plan) -> Result:
    """Measure creates without processors, and empty calls, turn by turn."""
    observed = conditions.observe()
    creates: dict[int, list[Calls]] = {number: [] for number in IN_FLIGHT}
    empties: dict[int, list[Calls]] = {number: [] for number in IN_FLIGHT}
    async with Site.open() as site, Rig.open(site, processors=0) as rig, floor() as nothing:
        await _create(rig, plan.count // 2, IN_FLIGHT[-1])
        await _call(rig, nothing, plan.count // 2, IN_FLIGHT[-1])
        for number in range(plan.runs):
            for in_flight in IN_FLIGHT:
                calls = plan.count if in_flight > 1 else max(1, round(plan.count * _SINGLE_SHARE))
                creates[in_flight].append(await _create(rig, calls, in_flight))
                empties[in_flight].append(await _call(rig, nothing, calls, in_flight))
            plan.say(f"unary {number + 1}/{plan.runs}: {creates[64][-1].rate:,.0f} creates/s with 64 in flight")
        settings = {**await site.postgres_settings(), **SERVICE_SETTINGS}
    return Result(
        scenario="unary",
        count=plan.count,
        conditions=observed,
        settings=settings,
        figures=tuple(figure for number in IN_FLIGHT for figure in _figures(number, creates[number], empties[number])),
        cpu={
            **{f"create, {number} in flight": _cpu(creates[number]) for number in IN_FLIGHT},
            **{f"empty call, {number} in flight": _cpu(empties[number]) for number in IN_FLIGHT},
        },
    )


async def _create(rig: Rig, calls: int, in_flight: int) -> Calls:
    await rig.books.clear()
    since = this_moment()
    order = orders.Unary(address=rig.addresses[0], calls=calls, in_flight=in_flight)
    made = await _make(rig, order, rig.roles())
    found = await rig.books.count(since=since)
    if found != calls:
        raise Dishonest(f"{calls} creates were answered and {found} tasks are there")
    return made


async def _call(rig: Rig, nothing: Floor, calls: int, in_flight: int) -> Calls:
    order = orders.Unary(address=nothing.address, calls=calls, in_flight=in_flight, empty=True)
    return await _make(rig, order, {"gateway": [nothing.pid]})


async def _make(rig: Rig, order: orders.Unary, roles: dict[str, list[int]]) -> Calls:
    async with Generator.start(order, rig.site.folder) as generator:
        await generator.reached("ready")
        usage = Usage({"client": [generator.pid], **roles})
        generator.go()
        report = await generator.report(reports.Created)
        used = usage.since()
    return Calls(
        rate=order.calls / report.seconds,
        latency_ms=percentiles(report.milliseconds),
        cpu={role: seconds / order.calls * 1000 for role, seconds in used.items()},
    )


def _figures(number: int, creates: list[Calls], empties: list[Calls]) -> list[Figure]:
    ratios = [one.cpu["gateway"] / other.cpu["gateway"] for one, other in zip(creates, empties, strict=True)]
    return [
        Figure(name=f"unary.{number}", unit="creates/s", spread=Spread.of(calls.rate for calls in creates)),
        Figure(name=f"unary.{number}.empty", unit="calls/s", spread=Spread.of(calls.rate for calls in empties)),
        Figure(name=f"unary.{number}.cpu_ratio", unit="x", spread=Spread.of(ratios)),
        *(
            Figure(
                name=f"unary.{number}.{name}", unit="ms", spread=Spread.of(calls.latency_ms[name] for calls in creates)
            )
            for name in creates[0].latency_ms
        ),
    ]


def _cpu(calls: list[Calls]) -> dict[str, Spread]:
    return {role: Spread.of(one.cpu[role] for one in calls) for role in calls[0].cpu}

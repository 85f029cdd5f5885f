"""Watching: a stream for each of many tasks, and one stream over everything while all is busy."""

from msgspec import Struct

from taskwire_bench import conditions
from taskwire_bench.cpu import Usage, tree_bytes
from taskwire_bench.generator import Generator
from taskwire_bench.load import orders, reports
from taskwire_bench.plan import Plan
from taskwire_bench.results import Figure, Result
from taskwire_bench.rig import Rig
from taskwire_bench.site import SERVICE_SETTINGS, Site
from taskwire_bench.spread import Spread, percentiles

STREAMS = (100, 1_000, 10_000)
FEED_TASKS = 100_000


class Watched(Struct, frozen=True, kw_only=True):
    """Streams that were opened, served and counted."""

    streams: int
    report: reports.Followed
    stream_kib: float
    gateway_us_per_event: float


async def measure(plan: Plan) -> Result:
    """Measure streams of single tasks up to `plan.count`, then the stream over everything at full load."""
    observed = conditions.observe()
    async with Site.open() as site:
        watched = []
        for streams in [number for number in STREAMS if number < plan.count] + [plan.count]:
            watched.append(await _watch_each(site, streams))
            done = watched[-1]
            plan.say(f"watchers: {done.report.complete} of {streams} complete, {done.stream_kib:.1f} KiB a stream")
        tasks = min(FEED_TASKS, plan.count * 10)
        async with Rig.open(site, database="feed") as rig:
            await rig.pass_through(max(1, tasks // 5))
            alone = await rig.pass_through(tasks)
            feed, behind_seconds, rate = await _watch_all(rig, tasks)
        plan.say(f"feed: {feed.complete} of {tasks} complete, {behind_seconds:.2f} s after the last task")
        settings = {**await site.postgres_settings(), **SERVICE_SETTINGS}
    return Result(
        scenario="watchers",
        count=plan.count,
        conditions=observed,
        settings=settings,
        figures=(
            *(figure for one in watched for figure in _figures(one)),
            _figure("feed.complete", "", feed.complete / tasks),
            _figure("feed.catch_up_seconds", "s", behind_seconds),
            _figure("feed.throughput_ratio", "x", rate / alone.rate),
            *(_figure(f"feed.delay.{name}", "ms", value) for name, value in percentiles(feed.delay_ms).items()),
        ),
        missing=_faults({**{f"watchers.{one.streams}": one.report for one in watched}, "feed": feed}),
    )


async def _watch_each(site: Site, streams: int) -> Watched:
    """Open the streams while no processor runs, then let one run."""
    async with Rig.open(site, database=f"watch{streams}", processors=0, watches_max=str(streams + 1000)) as rig:
        gateway = rig.stack.gateways[0].child.pid
        order = orders.Streams(address=rig.addresses[0], streams=streams)
        async with Generator.start(order, site.folder) as generator:
            await generator.reached("created")
            before = tree_bytes(gateway)
            generator.go()
            await generator.reached("opened")
            after = tree_bytes(gateway)
            await rig.stack.processor()
            usage = Usage({"gateway": [gateway]})
            generator.go()
            report = await generator.report(reports.Followed)
            used = usage.since()["gateway"]
    return Watched(
        streams=streams,
        report=report,
        stream_kib=(after - before) / streams / 1024,
        gateway_us_per_event=used / max(1, report.events) * 1e6,
    )


async def _watch_all(rig: Rig, tasks: int) -> tuple[reports.Followed, float, float]:
    """Return what the stream brought, how long after the last task its last event came, and the tasks per second."""
    # The tables are emptied by the run itself; the feed starts from now on either way.
    async with Generator.start(orders.Feed(address=rig.addresses[0], tasks=tasks), rig.site.folder) as follower:
        await follower.reached("opened")
        follower.go()
        run = await rig.pass_through(tasks)
        report = await follower.report(reports.Followed)
    return report, report.last_event_ns / 1e9 - run.audit.last_finished.timestamp(), run.rate


def _figures(one: Watched) -> list[Figure]:
    name = f"watchers.{one.streams}"
    return [
        _figure(f"{name}.complete", "", one.report.complete / one.streams),
        _figure(f"{name}.stream_kib", "KiB", one.stream_kib),
        _figure(f"{name}.opened_seconds", "s", one.report.opened_seconds),
        _figure(f"{name}.cpu", "us/event", one.gateway_us_per_event),
        *(_figure(f"{name}.delay.{which}", "ms", value) for which, value in percentiles(one.report.delay_ms).items()),
    ]


def _figure(name: str, unit: str, value: float) -> Figure:
    return Figure(name=name, unit=unit, spread=Spread.of([value]))


def _faults(found: dict[str, reports.Followed]) -> dict[str, str]:
    """Name what was wrong with the versions that came: such a stream counts as not measured."""
    return {name: "; ".join(report.faults) for name, report in found.items() if report.faults}

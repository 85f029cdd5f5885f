"""Throughput, and what Postgres alone allows, turn by turn on the same servers."""

from collections.abc import Mapping, Sequence
from statistics import median

from msgspec import structs

from taskwire_bench import conditions
from taskwire_bench.books import Books
from taskwire_bench.generator import Generator
from taskwire_bench.load import orders, reports
from taskwire_bench.plan import Plan
from taskwire_bench.results import Figure, Result
from taskwire_bench.rig import Rig, Run, cpu_of, this_moment
from taskwire_bench.site import SERVICE_SETTINGS, Site
from taskwire_bench.spread import Spread

CONNECTIONS = (1, 2, 4, 8)
_CONNECTIONS_SHORT = (4, 8)
"""Where the most was in every run on two cores."""
_WARM_UPS = 2
_WARM_UP_SHARE = 0.3


Turn = Mapping[int, reports.Looped]
"""What became of the loops of one turn, by the number of their connections."""


class Limit:
    """The limit: the statements of the store in bare loops, on a database of its own in the same server."""

    def __init__(self, site: Site, database_url: str, books: Books) -> None:
        self._site = site
        self._url = database_url
        self._books = books

    async def turn(self, tasks: int, connections: Sequence[int]) -> Turn:
        """Return what each of these numbers of connections reaches."""
        return {number: await self._loop(tasks, number) for number in connections}

    async def _loop(self, tasks: int, connections: int) -> reports.Looped:
        await self._books.clear()
        since = this_moment()
        order = orders.Limit(database_url=self._url, tasks=tasks, connections=connections)
        async with Generator.start(order, self._site.folder) as generator:
            await generator.reached("ready")
            generator.go()
            report = await generator.report(reports.Looped)
        await self._books.audit(tasks + report.rehearsed, since=since)
        return report


async def measure(plan: Plan) -> Result:
    """Measure both, interleaved: a noisy moment of the machine then meets both."""
    observed = conditions.observe()
    async with Site.open() as site, Rig.open(site) as rig:
        limit_url = await site.database("limit")
        async with Books.open(limit_url) as limit_books:
            limit = Limit(site, limit_url, limit_books)
            for _ in range(_WARM_UPS):
                await rig.pass_through(max(500, round(plan.count * _WARM_UP_SHARE)))
            runs: list[Run] = []
            turns: list[Turn] = []
            for number in range(plan.runs):
                runs.append(await rig.pass_through(plan.count))
                turns.append(await limit.turn(plan.count, _CONNECTIONS_SHORT if plan.is_short else CONNECTIONS))
                reached = ", ".join(f"{rate:,.0f} by {by}" for by, rate in _rates(turns[-1], plan.count).items())
                plan.say(f"throughput {number + 1}/{plan.runs}: {runs[-1].rate:,.0f} tasks/s, limit {reached}")
        settings = {**await site.postgres_settings(), **SERVICE_SETTINGS}
    limits = limits_of([_rates(turn, plan.count) for turn in turns])
    return Result(
        scenario="throughput",
        count=plan.count,
        conditions=observed,
        settings=settings,
        figures=(
            Figure(name="throughput", unit="tasks/s", spread=Spread.of(run.rate for run in runs)),
            Figure(name="limit", unit="tasks/s", spread=Spread.of(limits)),
            Figure(
                name="efficiency",
                unit="",
                spread=Spread.of(run.rate / rate for run, rate in zip(runs, limits, strict=True)),
            ),
            Figure(name="create", unit="tasks/s", spread=Spread.of(run.tasks / run.create_seconds for run in runs)),
        ),
        cpu={"throughput": cpu_of(runs)},
        details={
            "limits": [
                {
                    "rates": {str(by): rate for by, rate in _rates(turn, plan.count).items()},
                    "loops": {str(by): structs.asdict(report) for by, report in turn.items()},
                }
                for turn in turns
            ]
        },
    )


def limits_of(turns: Sequence[Mapping[int, float]]) -> list[float]:
    """Return, for each turn, the rate of the number of connections that is the best over all turns, by the median.

    The best of each turn would be a moment's luck: four looks at a machine whose speed varies by a tenth, of which the
    highest is held against a single one.
    """
    best = max(turns[0], key=lambda number: median(turn[number] for turn in turns))
    return [turn[best] for turn in turns]


def _rates(turn: Turn, tasks: int) -> dict[int, float]:
    return {number: tasks / report.seconds for number, report in turn.items()}

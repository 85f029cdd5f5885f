"""Throughput by the number of gateways, processors and NATS servers."""

from msgspec import Struct

from taskwire_bench import conditions
from taskwire_bench.plan import Plan
from taskwire_bench.results import Figure, Result
from taskwire_bench.rig import Rig, Run, cpu_of
from taskwire_bench.site import SERVICE_SETTINGS, Site
from taskwire_bench.spread import Spread


class Team(Struct, frozen=True):
    """How many there are of each."""

    gateways: int
    processors: int
    nats_servers: int = 1
    """With more than one, each keeps every ring."""

    @property
    def key(self) -> str:
        """Name it in figures."""
        replicas = f".nats{self.nats_servers}" if self.nats_servers > 1 else ""
        return f"processes.{self.gateways}x{self.processors}{replicas}"

    @property
    def title(self) -> str:
        """Name it for people."""
        return f"{self.gateways} gateways, {self.processors} processors, {self.nats_servers} NATS"


TEAMS = (
    *(Team(gateways, processors) for gateways, processors in ((1, 1), (2, 1), (4, 1), (1, 2), (1, 4), (2, 2), (4, 4))),
    Team(1, 1, nats_servers=3),
)


async def measure(plan: Plan) -> Result:
    """Measure each team on servers of its own."""
    observed = conditions.observe()
    runs: dict[Team, list[Run]] = {}
    settings: dict[str, str] = {}
    for team in TEAMS:
        async with (
            Site.open(nats_servers=team.nats_servers) as site,
            Rig.open(site, gateways=team.gateways, processors=team.processors) as rig,
        ):
            await rig.pass_through(max(500, plan.count // 3))
            runs[team] = [await rig.pass_through(plan.count) for _ in range(plan.runs)]
            settings = {**await site.postgres_settings(), **SERVICE_SETTINGS}
        plan.say(f"{team.title}: {runs[team][-1].rate:,.0f} tasks/s")
    return Result(
        scenario="processes",
        count=plan.count,
        conditions=observed,
        settings=settings,
        figures=tuple(
            Figure(name=team.key, unit="tasks/s", spread=Spread.of(run.rate for run in runs[team])) for team in TEAMS
        ),
        cpu={team.title: cpu_of(runs[team]) for team in TEAMS},
    )

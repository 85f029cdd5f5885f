"""Taskwire beside its peers: the same work on the same servers, turn by turn.

A peer is compared with the mean of Taskwire just before and just after it, so that a machine that gets slower or faster
meanwhile favours nobody.
"""

from contextlib import AsyncExitStack

from msgspec import Struct, structs

from taskwire_bench import conditions
from taskwire_bench.failure import NotMeasured
from taskwire_bench.peer_programs import ALL, TASKWIRE_KEEPS, Peer
from taskwire_bench.peer_run import PeerRun, environment_of, pass_through, redis
from taskwire_bench.plan import Plan
from taskwire_bench.results import Figure, Result
from taskwire_bench.rig import Rig, Run, cpu_of
from taskwire_bench.site import SERVICE_SETTINGS, Site
from taskwire_bench.spread import Spread

_SLOW_SHARE = 0.1
"""Of the tasks, for peers that would take minutes: their rate does not depend on it."""
_SLOW = {"taskiq", "dramatiq", "celery"}


class Pair(Struct, frozen=True):
    """One pass of a peer, and those of Taskwire around it."""

    theirs: PeerRun
    before: Run
    after: Run

    @property
    def ratio(self) -> float:
        """Return how many times as fast Taskwire was."""
        return (self.before.rate + self.after.rate) / 2 / self.theirs.rate


async def measure(plan: Plan) -> Result:
    """Measure everybody in each round. A peer that is missing or fails is named, and the others go on."""
    observed = conditions.observe()
    missing: dict[str, str] = {}
    pairs: dict[str, list[Pair]] = {name: [] for name in ALL}
    async with Site.open() as site, Rig.open(site) as rig, AsyncExitStack() as stack:
        servers = {"postgres": site.postgres.child.pid, "nats": site.nats[0].child.pid}
        redis_url = ""
        try:
            redis_url, servers["redis"] = await stack.enter_async_context(redis(site.folder))
        except NotMeasured as error:
            plan.say(str(error))
        await rig.pass_through(max(500, plan.count // 3))
        ours = [await rig.pass_through(plan.count)]
        for number in range(plan.runs):
            for name in [name for name in ALL if name not in missing]:
                try:
                    # With empty tables of its own, like Taskwire in each pass, and nothing left to write down: what
                    # rounds leave behind costs some of them more than others.
                    await rig.books.clear()
                    async with environment_of(ALL[name], site, redis_url) as environment:
                        theirs = await pass_through(ALL[name], _count(plan, name), environment, servers)
                except NotMeasured as error:
                    missing[name] = str(error)
                    continue
                ours.append(await rig.pass_through(plan.count))
                pairs[name].append(pair := Pair(theirs, before=ours[-2], after=ours[-1]))
                plan.say(
                    f"peers {number + 1}/{plan.runs}: {ALL[name].title} {theirs.rate:,.0f} tasks/s,"
                    f" Taskwire {pair.before.rate:,.0f} before and {pair.after.rate:,.0f} after it"
                )
        settings = {
            **await site.postgres_settings(),
            **SERVICE_SETTINGS,
            "redis": "appendonly yes, appendfsync everysec",
        }
    measured = {name: some for name, some in pairs.items() if name not in missing}
    return Result(
        scenario="peers",
        count=plan.count,
        conditions=observed,
        settings=settings,
        figures=(
            Figure(name="taskwire", unit="tasks/s", spread=Spread.of(run.rate for run in ours)),
            *(figure for name, some in measured.items() for figure in _figures(name, some)),
        ),
        cpu={
            "taskwire": cpu_of(ours),
            **{name: _cpu([pair.theirs for pair in some]) for name, some in measured.items()},
        },
        missing=missing,
        details={"keeps": {"taskwire": structs.asdict(TASKWIRE_KEEPS), **{name: _keeps(ALL[name]) for name in ALL}}},
    )


def _count(plan: Plan, name: str) -> int:
    return max(1, round(plan.count * _SLOW_SHARE)) if name in _SLOW else plan.count


def _figures(name: str, pairs: list[Pair]) -> list[Figure]:
    ratios = [pair.ratio for pair in pairs]
    return [
        Figure(name=name, unit="tasks/s", spread=Spread.of(pair.theirs.rate for pair in pairs)),
        Figure(name=f"{name}.hand_in", unit="tasks/s", spread=Spread.of(pair.theirs.hand_in_rate for pair in pairs)),
        Figure(name=f"{name}.ratio", unit="x", spread=Spread.of(ratios)),
        Figure(name=f"{name}.pair_minimum", unit="x", spread=Spread.of([min(ratios)])),
    ]


def _cpu(runs: list[PeerRun]) -> dict[str, Spread]:
    return {role: Spread.of(run.cpu[role] for run in runs) for role in runs[0].cpu}


def _keeps(peer: Peer) -> dict[str, str]:
    return {"title": peer.title, **structs.asdict(peer.keeps)}

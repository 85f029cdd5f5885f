"""One run from start to verdict: servers, load, storm, heal, drain, books."""

import asyncio
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from random import Random

from msgspec import Struct, structs

from taskwire.client import Client
from taskwire_chaos.books import keep_books
from taskwire_chaos.counts import count, count_beside
from taskwire_chaos.crowd import Crowd
from taskwire_chaos.faults.catalogue import FAULTS
from taskwire_chaos.faults.crowd import Overload
from taskwire_chaos.faults.fault import Fault
from taskwire_chaos.history import read_history
from taskwire_chaos.inspection import (
    POLL_SECONDS,
    look_at_connections,
    look_for_overdue,
    read_server_log,
    wait_for_the_end,
)
from taskwire_chaos.journal import Journal, Phase, Record, Remark, Seen, Tail, WatchOpened, read_journal
from taskwire_chaos.layout import Facts, RunFolder
from taskwire_chaos.load.plan import LoadPlan, WatchPlan
from taskwire_chaos.resources import note_resources
from taskwire_chaos.rings import note_rings
from taskwire_chaos.shape import Shape
from taskwire_chaos.site import Site
from taskwire_chaos.storm import Storm, Weather
from taskwire_chaos.trials import Trials
from taskwire_chaos.verdict import judge

_OPENING_SECONDS = 30.0
CATCH_UP_POLL_SECONDS = 1.0
MORE_SECONDS = 60.0
"""Of storm, when races are lacking, before they are counted again."""
SETTLE_SECONDS = 30.0
"""After a flood, and after the faults, until what is left is what stays."""


class Plan(Struct, frozen=True, kw_only=True):
    """What a campaign consists of."""

    name: str
    weather: Weather
    bound_seconds: float
    """How long after the heal everything must have ended."""
    shape: Shape = Shape()
    faults: tuple[type[Fault], ...] = FAULTS
    load: Mapping[str, object] = {}
    """Fields of the `LoadPlan`."""
    clients: int = 1
    feeds: int = 2
    measures_resources: bool = False
    """Whether services must hold no more after the faults than before. No fault may restart one then."""
    tries_everything: bool = True
    """Whether cancels and recovery are timed at rest as well."""
    least_faults: Mapping[str, int] = {}
    """How often each fault must have struck; what is lacking when the time is over is made up for."""
    make_up_seconds: float = 0.0
    """For how long, and for how long again for what `least_counts` lacks."""
    least_counts: Mapping[str, int] = {}
    """As `Outcome.counts`: less is a failure of the campaign."""


class Outcome(Struct, frozen=True):
    """What a campaign came to."""

    violations: Mapping[str, Sequence[str]]
    faults: Mapping[str, int]
    counts: Mapping[str, int]
    """Of calls and the like that a campaign must have enough of."""
    tasks: int
    events: int
    seconds: float
    remarks: Sequence[str] = ()
    shortfalls: Sequence[str] = ()
    """What there was less of than the campaign asks for."""

    @property
    def is_clean(self) -> bool:
        """Tell whether every promise was kept, and tried as often as it should be."""
        return not any(self.violations.values()) and not self.shortfalls


async def run_campaign(plan: Plan, folder: RunFolder, seed: int) -> Outcome:
    """Run a campaign and judge it. What everybody saw stays in `folder`."""
    started = time.monotonic()
    folder.make()
    folder.keep_facts(
        Facts(
            seed=seed,
            length=plan.name,
            lease_seconds=plan.shape.lease_seconds,
            cancel_grace_seconds=plan.shape.cancel_grace_seconds,
            bound_seconds=plan.bound_seconds,
            tries_everything=plan.tries_everything,
            bugs=(plan.shape.bug,) if plan.shape.bug else (),
            least={**plan.least_faults, **plan.least_counts},
        )
    )
    with Journal(folder.journal("supervisor")) as journal:
        async with Site.open(folder, plan.shape, journal) as site:
            await _Campaign(plan, site, seed).run()
    # What was in them is in the books; the logs stay.
    for store in (folder.servers / "postgres" / "data", folder.servers / "nats" / "store"):
        shutil.rmtree(store, ignore_errors=True)
    outcome = judge_folder(folder)
    return structs.replace(outcome, seconds=time.monotonic() - started)


def judge_folder(folder: RunFolder) -> Outcome:
    """Judge a run that was stored."""
    history = read_history(folder)
    faults, counts = history.faults(), count(history)
    found = {**faults, **counts}
    least = history.facts.least
    return Outcome(
        violations=judge(history),
        faults=faults,
        counts=counts,
        tasks=len(history.books.tasks),
        events=sum(map(len, history.books.events.values())),
        seconds=0.0,
        remarks=[remark.text for remark in history.all(Remark)],
        shortfalls=[f"{found.get(name, 0)} of {few} {name}" for name, few in least.items() if found.get(name, 0) < few],
    )


class _Campaign:
    def __init__(self, plan: Plan, site: Site, seed: int) -> None:
        self._plan = plan
        self._site = site
        self._seed = seed
        self._crowd = Crowd(site)

    async def run(self) -> None:
        ringing = asyncio.create_task(note_rings(self._site.nats.url, "taskwire", self._site.journal))
        try:
            await self._gather_crowd()
            await self._storm()
            await self._drain()
        finally:
            await self._crowd.kill_all()
            ringing.cancel()
            await asyncio.wait((ringing,))

    async def _gather_crowd(self) -> None:
        site = self._site
        for number in range(self._plan.feeds):
            address = site.addresses[number % len(site.addresses)]
            slow = 0.05 if number else 0.0
            await self._crowd.add(
                WatchPlan(who=f"feed-{number}", folder=str(site.folder.path), address=address, slow_seconds=slow)
            )
        async with asyncio.timeout(_OPENING_SECONDS):
            while not all(self._is_watching(who) for who in self._crowd.watchers):
                await asyncio.sleep(POLL_SECONDS)
        for number in range(self._plan.clients):
            fields: dict[str, object] = {
                "who": f"client-{number}",
                "folder": str(site.folder.path),
                "seed": self._seed,
                "addresses": site.addresses,
                "settle_seconds": self._plan.bound_seconds,
                **self._plan.load,
            }
            await self._crowd.add(LoadPlan(**fields))  # type: ignore[arg-type]

    def _is_watching(self, who: str) -> bool:
        file = self._site.folder.journal(who)
        return file.exists() and any(isinstance(record, WatchOpened) for record in read_journal(file))

    async def _storm(self) -> None:
        # What is chosen hangs on the seed alone; when exactly it strikes hangs on the machine.
        random = Random(f"{self._seed}/storm")  # noqa: S311
        storm = Storm(self._site, self._crowd, self._plan.faults, random, least=self._plan.least_faults)
        if self._plan.measures_resources:
            # What grows once, such as pools and caches, grows before it is looked at.
            await Overload(self._site, self._crowd, Random(self._seed)).strike()  # noqa: S311
            await asyncio.sleep(SETTLE_SECONDS)
            await self._note_resources("before")
        await storm.rage(self._plan.weather, self._look)
        await storm.make_up(self._plan.make_up_seconds)
        await self._make_up_counts(storm)
        if self._plan.measures_resources:
            await self._site.heal()
            await asyncio.sleep(SETTLE_SECONDS)
            await self._note_resources("after")

    async def _make_up_counts(self, storm: Storm) -> None:
        """Go on for as long as the history so far has too few races."""
        now = asyncio.get_running_loop().time
        until = now() + self._plan.make_up_seconds
        more = structs.replace(self._plan.weather, seconds=MORE_SECONDS, calm_every_seconds=0)
        while now() < until and await self._lacks_races():
            await storm.rage(more, self._look)

    async def _lacks_races(self) -> bool:
        if not self._plan.least_counts:
            return False
        await self._site.heal()
        async with self._site.connection() as connection:
            await keep_books(connection, self._site.folder.books)
        counts = await count_beside(self._site.folder)
        self._site.journal.write(Phase(name=f"so far: {counts}"))
        return any(counts[name] < least for name, least in self._plan.least_counts.items())

    async def _note_resources(self, when: str) -> None:
        """Look while no calls are made: what is at work holds something, too."""
        self._crowd.pause(paused=True)
        try:
            await asyncio.sleep(SETTLE_SECONDS / 2)
            await note_resources(self._site, when)
        finally:
            self._crowd.pause(paused=False)

    async def _look(self, quiet_seconds: float) -> None:
        if quiet_seconds >= self._plan.bound_seconds:
            await look_for_overdue(self._site, self._plan.bound_seconds)

    async def _drain(self) -> None:
        site, bound = self._site, self._plan.bound_seconds
        site.journal.write(Phase(name="heal"))
        await site.heal()
        site.journal.write(Phase(name="drain"))
        ending = asyncio.create_task(self._crowd.finish())
        try:
            in_time = await wait_for_the_end(site, bound)
        finally:
            await ending
        # What the last calls of the clients have created comes after the first look.
        if in_time and await wait_for_the_end(site, bound):
            await self._try_at_rest()
            await wait_for_the_end(site, bound)
        await look_at_connections(site)
        read_server_log(site)
        async with site.connection() as connection:
            await keep_books(connection, site.folder.books)
        await self._watchers_caught_up()

    async def _try_at_rest(self) -> None:
        async with Client(self._site.addresses[0]) as client:
            trials = Trials(self._site, client, Random(f"{self._seed}/trials"))  # noqa: S311
            await trials.try_promptness()
            if self._plan.tries_everything:
                await trials.try_cancels()
                await trials.try_recovery()

    async def _watchers_caught_up(self) -> None:
        """Wait until every watch of everything has as many changes as there are, for as long as they get any.

        What is missing is for the validator to say.
        """
        with (self._site.folder.books / "events.jsonl").open("rb") as events:
            wanted = sum(1 for _ in events)
        self._crowd.hurry()
        tails = {who: Tail(self._site.folder.journal(who)) for who in self._crowd.watchers}
        seen, patience = dict.fromkeys(tails, 0), 0.0
        while any(one < wanted for one in seen.values()):
            news = {who: _count_changes(tail.news()) for who, tail in tails.items()}
            patience = 0.0 if any(news.values()) else patience + CATCH_UP_POLL_SECONDS
            if patience > self._plan.bound_seconds:
                return
            seen = {who: before + news[who] for who, before in seen.items()}
            await asyncio.sleep(CATCH_UP_POLL_SECONDS)


def _count_changes(records: Iterable[Record]) -> int:
    return sum(len(record.changes) for record in records if isinstance(record, Seen))

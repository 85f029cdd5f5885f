"""The client processes of a run."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec

from taskwire_chaos.journal import Overdue
from taskwire_chaos.load.plan import LoadPlan, WatchPlan
from taskwire_chaos.site import PYTHONPATH, Site
from taskwire_dev.children import Child, Command, Stage, spawn

_LAST_WORDS_SECONDS = 15.0
"""Beyond the time that a plan gives its watches: for calls that wait for their answers."""
_STACKS_SECONDS = 5.0
"""For writing the stacks."""


class Crowd:
    """Starts clients and watchers. `stop` or `kill_all` ends them."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._children: dict[str, tuple[Child, LoadPlan | WatchPlan]] = {}

    async def add(self, plan: LoadPlan | WatchPlan) -> None:
        """Start a process for `plan`, or another one in its place."""
        file = self._site.folder.path / f"{plan.who}.json"
        file.write_bytes(msgspec.json.encode(plan))
        command = Command(
            program=[sys.executable, "-m", "taskwire_chaos.load", file],
            environment={"PATH": os.environ["PATH"], "PYTHONPATH": PYTHONPATH, "TZ": "UTC"},
            folder=Path.cwd(),
            log=self._site.folder.logs / f"{plan.who}.log",
            death_signal=signal.SIGKILL,
        )
        child = await spawn(command)
        self._children[plan.who] = (child, plan)
        self._site.clients[plan.who] = child.pid

    @property
    def watchers(self) -> list[str]:
        """Return the names of those that watch everything."""
        return [who for who, (_, plan) in self._children.items() if isinstance(plan, WatchPlan)]

    async def replace(self, who: str) -> None:
        """Kill a process and start another one in its place."""
        child, plan = self._children[who]
        await child.stop([])
        await self.add(plan)

    def freeze(self, who: str, *, frozen: bool) -> None:
        """Stop a process from running, or let it go on."""
        self._children[who][0].send(signal.SIGSTOP if frozen else signal.SIGCONT)

    def pause(self, *, paused: bool) -> None:
        """Stop those that make calls from running, or let them go on."""
        for who, (_, plan) in self._children.items():
            if isinstance(plan, LoadPlan):
                self.freeze(who, frozen=paused)

    def hurry(self) -> None:
        """Have those that watch everything read as fast as they can."""
        for who in self.watchers:
            self._children[who][0].send(signal.SIGTERM)

    async def finish(self) -> None:
        """Have those that make calls come to their end; write down those that do not."""
        finishing = [self._finish(who, child, plan) for who, (child, plan) in self._children.items()]
        await asyncio.gather(*finishing)

    async def dismiss(self, who: str) -> None:
        """Have one that makes calls come to its end."""
        child, plan = self._children.pop(who)
        self._site.clients.pop(who)
        await self._finish(who, child, plan)

    async def kill_all(self) -> None:
        """Kill whatever still runs."""
        for child, _ in self._children.values():
            await child.stop([])

    async def _finish(self, who: str, child: Child, plan: LoadPlan | WatchPlan) -> None:
        if isinstance(plan, WatchPlan):
            return
        patience = plan.settle_seconds + _LAST_WORDS_SECONDS
        # Who stands still says where: see `load.__main__`.
        exit_code = await child.stop([Stage(signal.SIGTERM, patience), Stage(signal.SIGABRT, _STACKS_SECONDS)])
        if exit_code != 0:
            what = f"{who} ended with {exit_code}, having been asked to end"
            self._site.journal.write(Overdue(task="", what=what, seconds=patience))

"""What happens to watchers, and what too many clients do."""

import asyncio
from typing import ClassVar

from taskwire_chaos.faults.fault import Fault
from taskwire_chaos.load.plan import LoadPlan

OVERLOAD = "overload"
FLOOD_SECONDS = 5.0
_FLOOD_WORKERS = 200
"""More than the calls that both gateways take at a time. With batches, they offer some thousand tasks a second, against
the thousand that may wait: see `planted.limits`. By how much that is too much is counted: see `counts`."""


class KillWatcher(Fault):
    """A process that watches everything is killed and goes on where it was."""

    name: ClassVar[str] = "kill watcher"
    weight: ClassVar[int] = 4

    async def strike(self) -> None:
        """See `Fault`."""
        free = [who for who in self.crowd.watchers if who not in self.site.busy]
        if not free:
            return
        who = self.random.choice(free)
        async with self.site.taking(who):
            self.note(who)
            await self.crowd.replace(who)


class FreezeWatcher(Fault):
    """A process that watches everything does not read for a while."""

    name: ClassVar[str] = "freeze watcher"
    weight: ClassVar[int] = 2

    async def strike(self) -> None:
        """See `Fault`."""
        free = [who for who in self.crowd.watchers if who not in self.site.busy]
        if not free:
            return
        who = self.random.choice(free)
        async with self.site.taking(who):
            self.note(who)
            self.crowd.freeze(who, frozen=True)
            try:
                await asyncio.sleep(self.seconds(0.5, 6))
            finally:
                self.crowd.freeze(who, frozen=False)


class Overload(Fault):
    """For some seconds clients offer several times what is taken, and make more calls than are answered at a time."""

    name: ClassVar[str] = OVERLOAD
    weight: ClassVar[int] = 1

    async def strike(self) -> None:
        """See `Fault`."""
        if OVERLOAD in self.site.busy:
            return
        async with self.site.taking(OVERLOAD):
            self.note()
            plan = LoadPlan(
                who=f"flood-{self.site.strikes[self.name]}",
                folder=str(self.site.folder.path),
                seed=self.random.randrange(1_000_000),
                addresses=self.site.addresses,
                workers=_FLOOD_WORKERS,
                pause_ms=1,
                operations={"create": 1, "batch": 1},
            )
            await self.crowd.add(plan)
            await asyncio.sleep(FLOOD_SECONDS)
            await self.crowd.dismiss(plan.who)

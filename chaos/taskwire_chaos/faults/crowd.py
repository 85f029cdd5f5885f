"""What happens to watchers, and what too many clients do."""

import asyncio
from typing import ClassVar

from taskwire_chaos.faults.fault import Fault


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

"""What happens on the links between processes."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from taskwire_chaos.faults.fault import Fault
from taskwire_chaos.proxy import Proxy, Way


class _OnALink(Fault):
    """Something happens to one link for a while."""

    shortest: ClassVar[float] = 0.5
    longest: ClassVar[float] = 6.0

    async def strike(self) -> None:
        """See `Fault`."""
        free = [link for link in self.links() if link.name not in self.site.busy]
        if not free:
            return
        link = self.random.choice(free)
        async with self.site.taking(link.name):
            self.note(link.name)
            self.spoil(link)
            try:
                await asyncio.sleep(self.seconds(self.shortest, self.longest))
            finally:
                link.heal()

    def links(self) -> Sequence[Proxy]:
        """Return the links to choose from."""
        return self.site.links

    def spoil(self, link: Proxy) -> None:
        """Do it to a link. It is healed afterwards."""
        raise NotImplementedError


class ResetLink(_OnALink):
    """Every connection gets RST."""

    name: ClassVar[str] = "reset link"
    weight: ClassVar[int] = 8
    shortest: ClassVar[float] = 0.0
    longest: ClassVar[float] = 0.1

    def spoil(self, link: Proxy) -> None:
        """See `_OnALink`."""
        link.reset()


class BlackHole(_OnALink):
    """Nothing comes through, nobody is told, and the connections are gone afterwards."""

    name: ClassVar[str] = "black hole"
    weight: ClassVar[int] = 4
    longest: ClassVar[float] = 9.0

    def spoil(self, link: Proxy) -> None:
        """See `_OnALink`."""
        link.black_hole()


class StallOneWay(_OnALink):
    """One direction is held back."""

    name: ClassVar[str] = "stall one way"
    weight: ClassVar[int] = 4

    def spoil(self, link: Proxy) -> None:
        """See `_OnALink`."""
        link.stall(self.random.choice(list(Way)))


class DelayLink(_OnALink):
    """Everything takes longer."""

    name: ClassVar[str] = "delay link"
    weight: ClassVar[int] = 4

    def spoil(self, link: Proxy) -> None:
        """See `_OnALink`."""
        link.delay_seconds = self.seconds(0.02, 0.5)


class DelayDatabase(DelayLink):
    """As `DelayLink`, between gateways and Postgres: what clients give up is at work there."""

    name: ClassVar[str] = "delay database"
    weight: ClassVar[int] = 1

    def links(self) -> Sequence[Proxy]:
        """See `_OnALink`."""
        return [keeper.proxies[self.site.postgres.name] for keeper in self.site.gateways]

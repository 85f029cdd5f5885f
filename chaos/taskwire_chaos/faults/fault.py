"""What every fault is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from random import Random
from typing import ClassVar

from taskwire_chaos.crowd import Crowd
from taskwire_chaos.journal import Struck
from taskwire_chaos.keeper import Keeper
from taskwire_chaos.site import Site


class Fault(ABC):
    """Something that goes wrong for a while. One object may strike many times, one after the other."""

    name: ClassVar[str]
    weight: ClassVar[int]
    """How often it is chosen, against the others."""
    lacks: ClassVar[str] = ""
    """What it needs and this machine has not, so that it does nothing."""

    def __init__(self, site: Site, crowd: Crowd, random: Random) -> None:
        self.site = site
        self.crowd = crowd
        self.random = random

    @abstractmethod
    async def strike(self) -> None:
        """Do it, wait, and undo what would not mend by itself. Does nothing where everything is taken."""

    def note(self, target: str = "") -> None:
        """Write down that it begins."""
        self.site.strikes[self.name] += 1
        self.site.journal.write(Struck(fault=self.name, target=target))

    def choose(self, keepers: Sequence[Keeper]) -> Keeper | None:
        """Choose one of those that run and are not taken, or None."""
        free = self.site.free(keepers)
        return self.random.choice(free) if free else None

    def seconds(self, low: float, high: float) -> float:
        """Return a time between the two."""
        return self.random.uniform(low, high)

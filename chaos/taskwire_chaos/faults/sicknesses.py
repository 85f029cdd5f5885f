"""Processors that live and do not work."""

import asyncio
from typing import ClassVar

from taskwire_chaos.faults.fault import Fault
from taskwire_chaos.planted.planting import FAILPOINT_VARIABLE

_COUNT_MAX = 6
_REACH_SECONDS = 5.0
"""For a processor to start and to get to where it falls ill."""


class _Sicken(Fault):
    """A processor is started again and falls ill at its Nth ring."""

    failpoint: ClassVar[str]
    gets_well: ClassVar[bool] = False
    """Whether it is killed at the end, as by an operator who looks at it."""

    async def strike(self) -> None:
        """See `Fault`."""
        keeper = self.choose(self.site.processors)
        if keeper is None:
            return
        async with self.site.taking(keeper.name):
            self.note(keeper.name)
            keeper.extra = {FAILPOINT_VARIABLE: f"{self.failpoint}@{self.random.randint(1, _COUNT_MAX)}"}
            await keeper.kill()
            await asyncio.sleep(_REACH_SECONDS + self.seconds(0, self.site.shape.lease_seconds))
            if self.gets_well:
                await keeper.kill()


class StickControl(_Sicken):
    """Its control stands still, as in an endless loop, until somebody kills it."""

    name: ClassVar[str] = "stick control"
    weight: ClassVar[int] = 3
    failpoint: ClassVar[str] = "stuck"
    gets_well: ClassVar[bool] = True


class StickForGood(_Sicken):
    """Its control stands still and nobody kills it: others have to do its work all the same."""

    name: ClassVar[str] = "stick control for good"
    weight: ClassVar[int] = 1
    failpoint: ClassVar[str] = "stuck"


class DeafenProcessor(_Sicken):
    """The reader of its connection to NATS dies without a word."""

    name: ClassVar[str] = "deafen processor"
    weight: ClassVar[int] = 3
    failpoint: ClassVar[str] = "deaf"

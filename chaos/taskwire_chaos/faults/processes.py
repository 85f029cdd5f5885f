"""Services that are killed, stopped and frozen."""

import asyncio
from typing import ClassVar

from taskwire_chaos.faults.fault import Fault
from taskwire_chaos.planted.failpoints import GATEWAY_FAILPOINTS, PROCESSOR_FAILPOINTS
from taskwire_chaos.planted.planting import FAILPOINT_VARIABLE

_FAILPOINT_COUNT_MAX = 12
_FAILPOINT_SECONDS = 8.0
"""How long to wait for a service to get to its failpoint; then it is killed where it is."""


class KillProcessor(Fault):
    """SIGKILL to a processor and its runners."""

    name: ClassVar[str] = "kill processor"
    weight: ClassVar[int] = 12

    async def strike(self) -> None:
        """See `Fault`."""
        keeper = self.choose(self.site.processors)
        if keeper is not None:
            async with self.site.taking(keeper.name):
                self.note(keeper.name)
                await keeper.kill()


class KillGateway(Fault):
    """SIGKILL to a gateway."""

    name: ClassVar[str] = "kill gateway"
    weight: ClassVar[int] = 6

    async def strike(self) -> None:
        """See `Fault`."""
        keeper = self.choose(self.site.gateways)
        if keeper is not None:
            async with self.site.taking(keeper.name):
                self.note(keeper.name)
                await keeper.kill()


class StopService(Fault):
    """SIGTERM, as in a rolling restart."""

    name: ClassVar[str] = "stop service"
    weight: ClassVar[int] = 4

    async def strike(self) -> None:
        """See `Fault`."""
        keeper = self.choose(self.site.keepers)
        if keeper is not None:
            async with self.site.taking(keeper.name):
                self.note(keeper.name)
                await keeper.restart()


class FreezeProcessor(Fault):
    """SIGSTOP to a processor, for about as long as its lease, so that it wakes up as a zombie."""

    name: ClassVar[str] = "freeze processor"
    weight: ClassVar[int] = 6

    async def strike(self) -> None:
        """See `Fault`."""
        keeper = self.choose(self.site.processors)
        if keeper is not None:
            async with self.site.taking(keeper.name):
                self.note(keeper.name)
                keeper.service.freeze()
                try:
                    await asyncio.sleep(self.seconds(0.5, self.site.shape.lease_seconds + 4))
                finally:
                    keeper.service.thaw()


class FreezeGateway(Fault):
    """SIGSTOP to a gateway."""

    name: ClassVar[str] = "freeze gateway"
    weight: ClassVar[int] = 3

    async def strike(self) -> None:
        """See `Fault`."""
        keeper = self.choose(self.site.gateways)
        if keeper is not None:
            async with self.site.taking(keeper.name):
                self.note(keeper.name)
                keeper.service.freeze()
                try:
                    await asyncio.sleep(self.seconds(0.5, 6))
                finally:
                    keeper.service.thaw()


class DieAtFailpoint(Fault):
    """A service is started again so that it dies at a certain place in its code."""

    name: ClassVar[str] = "die at failpoint"
    weight: ClassVar[int] = 8

    async def strike(self) -> None:
        """See `Fault`."""
        keeper = self.choose(self.site.keepers)
        if keeper is None:
            return
        failpoint = self.random.choice(GATEWAY_FAILPOINTS if keeper.is_gateway else PROCESSOR_FAILPOINTS)
        async with self.site.taking(keeper.name):
            self.note(f"{failpoint} of {keeper.name}")
            keeper.extra = {FAILPOINT_VARIABLE: f"{failpoint}@{self.random.randint(1, _FAILPOINT_COUNT_MAX)}"}
            await keeper.kill()
            try:
                async with asyncio.timeout(_FAILPOINT_SECONDS):
                    await keeper.is_up.wait()
                    await keeper.service.child.ended()
            except TimeoutError:
                await keeper.kill()

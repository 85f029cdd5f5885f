"""How a processor that was asked to stop brings its work to an end."""

import asyncio
from contextlib import suppress

from taskwire_processor.attempts import Attempts
from taskwire_processor.completer import Completer
from taskwire_processor.held import StopReason
from taskwire_processor.runners import Runners
from taskwire_processor.stopper import Stopper
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

WIND_UP_SECONDS_MAX = 3.0
"""The last part of the grace, in which handlers that still run are told to stop, ended, and handed back."""
WIND_UP_PART = 0.3
"""Of a grace that is short."""
STORE_SECONDS_MIN = 1.0
"""For storing what has come to an end, whatever the grace."""

log = logs.get(__name__)


class Drain:
    """Lets handlers finish while there is time, and hands back the rest: nothing is lost, and no attempt used up."""

    def __init__(self, attempts: Attempts, stopper: Stopper, runners: Runners, completer: Completer) -> None:
        self._attempts = attempts
        self._stopper = stopper
        self._runners = runners
        self._completer = completer
        self._loop = asyncio.get_running_loop()

    async def run(self, grace_seconds: float) -> None:
        """Drain within `grace_seconds`. Nothing must be claimed any more."""
        end = self._loop.time() + grace_seconds
        wind_up = min(WIND_UP_SECONDS_MAX, grace_seconds * WIND_UP_PART)
        log.info(Event.DRAIN_STARTED, held=len(self._attempts), grace_seconds=grace_seconds)
        await self._wait_until(end - wind_up)
        left = len(self._attempts)
        for held in self._attempts:
            self._stopper.stop(held, StopReason.DRAINED)
        await self._wait_until(end - wind_up / 2)
        await self.stop_everything(max(end, self._loop.time() + STORE_SECONDS_MIN))
        log.info(Event.DRAIN_FINISHED, handed_back=left, unstored=len(self._completer.unstored()))

    async def stop_everything(self, end: float) -> None:
        """End every handler now, and store what can be stored until `end`."""
        for held in self._attempts:
            self._stopper.stop(held, StopReason.DRAINED)
        self._runners.kill_all()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                await self._attempts.emptied()
                await self._completer.emptied()

    async def _wait_until(self, moment: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(moment):
                await self._attempts.emptied()

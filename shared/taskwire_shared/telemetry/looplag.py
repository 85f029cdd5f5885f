"""How late the event loop is: the one number that tells a blocking call from a slow network."""

import asyncio
from collections import deque

from prometheus_client import Gauge

from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

log = logs.get(__name__)

_PERIOD_SECONDS = 0.25
_WINDOW_SAMPLES = 40
"""10 s: no scrape interval that anybody uses is so long that it sees every sample, so the worst one stays a while."""
_STALL_SECONDS = 1.0
"""A loop that stood still for so long has delayed everything by as much; that is worth a line."""


async def watch_loop_lag(gauge: Gauge) -> None:
    """Measure for ever how much later than asked the loop wakes a sleeper. Runs until it is cancelled."""
    loop = asyncio.get_running_loop()
    recent: deque[float] = deque(maxlen=_WINDOW_SAMPLES)
    while True:
        due = loop.time() + _PERIOD_SECONDS
        await asyncio.sleep(_PERIOD_SECONDS)
        lag = max(0.0, loop.time() - due)
        recent.append(lag)
        gauge.set(max(recent))
        if lag > _STALL_SECONDS:
            log.warning(Event.LOOP_STALLED, seconds=round(lag, 3))

"""Whether the gateway can do its work: it can when Postgres answers. Without NATS tasks start later, but they start."""

import asyncio

from taskwire_gateway.health import Health
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.store.database import Database
from taskwire_shared.store.health import probe
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

PROBE_SECONDS = 2.0
ANSWER_SECONDS = 5.0
"""A busy machine answers late. A database that is gone refuses at once; only one that is cut off takes this long."""

_log = logs.get(__name__)


async def probe_health(db: Database, health: Health) -> None:
    """Ask Postgres and set the health of the whole, until cancelled."""
    before = health.is_serving
    while True:
        serving = await _answers(db)
        # Not by the health itself: a gateway that stops does not serve, whatever is found here.
        if serving is not before:
            log = _log.info if serving else _log.warning
            log(Event.HEALTH_CHANGED, serving=serving)
        health.set_whole(serving=serving)
        before = serving
        await asyncio.sleep(PROBE_SECONDS)


async def _answers(db: Database) -> bool:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await probe(db)
    except (BackendUnavailable, TimeoutError):
        return False
    return True

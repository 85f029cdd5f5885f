"""Whether the gateway can work is asked again and again, and a change of the answer is logged."""

import asyncio
from contextlib import suppress

import structlog.testing

from taskwire_gateway import health_probe
from taskwire_gateway.health import Health
from taskwire_shared.domain.errors import BackendUnavailable


async def test_becoming_well_is_no_warning(monkeypatch):
    answers = iter((True, True, False, False, True))
    done = asyncio.Event()

    async def probe(_db):
        answer = next(answers, None)
        if answer is None:
            done.set()
            await asyncio.Event().wait()
        if not answer:
            raise BackendUnavailable

    monkeypatch.setattr(health_probe, "probe", probe)
    monkeypatch.setattr(health_probe, "PROBE_SECONDS", 0)
    health = Health(())
    with structlog.testing.capture_logs() as lines:
        probing = asyncio.create_task(health_probe.probe_health(None, health))
        await asyncio.wait_for(done.wait(), 5)
        probing.cancel()
        with suppress(asyncio.CancelledError):
            await probing

    assert [(line["log_level"], line["serving"]) for line in lines] == [
        ("info", True),
        ("warning", False),
        ("info", True),
    ]
    assert health.is_serving

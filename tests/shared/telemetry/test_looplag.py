"""A loop that stands still shows."""

import asyncio
import time

import pytest
import structlog
from prometheus_client import CollectorRegistry, Gauge

from taskwire_shared.telemetry import looplag
from taskwire_shared.telemetry.events import Event


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(looplag, "_PERIOD_SECONDS", 0.01)
    monkeypatch.setattr(looplag, "_STALL_SECONDS", 0.1)


async def test_lag_is_measured_and_a_stall_is_logged(eventually) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("lag", "Help", registry=registry)
    with structlog.testing.capture_logs() as lines:
        watching = asyncio.create_task(looplag.watch_loop_lag(gauge))
        await asyncio.sleep(0)
        # The one thing that must never be done on a loop.
        time.sleep(0.2)  # noqa: ASYNC251
        await eventually(lambda: (registry.get_sample_value("lag") or 0) > 0.1)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching

    assert [line["event"] for line in lines] == [Event.LOOP_STALLED]

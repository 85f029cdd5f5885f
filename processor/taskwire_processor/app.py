"""The composition root of a processor: everything is made here and handed down."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from prometheus_client import CollectorRegistry

from taskwire_migrations.schema import prepare_schema
from taskwire_processor.tenure import End, House, Tenure
from taskwire_shared.bus.bells import Bell
from taskwire_shared.bus.connection import Bus
from taskwire_shared.bus.rings import Ringer
from taskwire_shared.settings import Settings
from taskwire_shared.store.database import Database
from taskwire_shared.telemetry.endpoint import serve_metrics
from taskwire_shared.telemetry.looplag import watch_loop_lag
from taskwire_shared.telemetry.metrics import ProcessorMetrics
from taskwire_shared.upkeep.partitioner import Partitioner
from taskwire_shared.upkeep.sweeper import Sweeper, calm_seconds_of

CONNECT_SECONDS = 60.0
"""For the database to answer when a processor starts; they are often started together."""
MIGRATE_SECONDS = 60.0
"""For somebody else, a gateway most often, to migrate an empty database."""

Ready = Callable[[UUID, str], None]
"""Told the id of the processor and the address of its metrics, empty where it serves none."""


class Deaf(Exception):
    """Tasks wait that were rung for, no ring is heard, and new connections to NATS have not helped."""


class _Health:
    """Whether the processor at work is healthy."""

    def __init__(self) -> None:
        self.tenure: Tenure | None = None

    def __call__(self) -> bool:
        return self.tenure is not None and self.tenure.is_healthy


async def serve(settings: Settings, *, stop: asyncio.Event, ready: Ready | None = None) -> None:
    """Run tasks until `stop` is set, then drain.

    Raises BackendUnavailable when the database does not answer at the start, NotMigrated when it is empty, and, within
    an ExceptionGroup, RunnerFailed when the handlers cannot be loaded, and Deaf.
    """
    await prepare_schema(settings, stop, empty_seconds=MIGRATE_SECONDS)
    if stop.is_set():
        return
    registry = CollectorRegistry()
    metrics = ProcessorMetrics(registry)
    health = _Health()
    async with (
        Database.open(
            settings.database_url,
            pool_size=settings.database_pool_size,
            name="taskwire processor",
            connect_timeout=CONNECT_SECONDS,
        ) as db,
        Bus.open(settings.nats_url, settings.nats_prefix) as bus,
        serve_metrics(settings.metrics_listen, registry, health) as address,
        asyncio.TaskGroup() as group,
    ):
        house = House(settings=settings, db=db, bus=bus, bell=Bell(bus), ringer=Ringer(bus), metrics=metrics)
        sweeper = Sweeper(db, house.ringer, house.bell, calm_seconds=calm_seconds_of(settings.lease_seconds))
        metrics.follow(bus=bus, database=db, sweeper=sweeper)
        background = [
            group.create_task(sweeper.run()),
            group.create_task(Partitioner(db, retention_days=settings.retention_days).run()),
            group.create_task(watch_loop_lag(metrics.loop_lag_seconds)),
        ]
        try:
            await _serve_tenures(house, health, stop, lambda processor: ready(processor, address) if ready else None)
        finally:
            for task in background:
                task.cancel()


async def _serve_tenures(house: House, health: _Health, stop: asyncio.Event, ready: Callable[[UUID], None]) -> None:
    end = End.LEASE_LOST
    while end is End.LEASE_LOST and not stop.is_set():
        tenure = health.tenure = Tenure(house)
        end = await tenure.run(stop, ready)
    if end is End.DEAF:
        raise Deaf

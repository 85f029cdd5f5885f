"""The composition root of a gateway: everything is made here and handed down."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import grpc
from prometheus_client import CollectorRegistry

from taskwire_gateway.admission import Admission
from taskwire_gateway.creator import Creator
from taskwire_gateway.dispatcher import Dispatcher
from taskwire_gateway.edge import FAREWELL_SECONDS, Edge
from taskwire_gateway.feed_watch import FeedWatcher
from taskwire_gateway.health import HEALTH_SERVICE, Health
from taskwire_gateway.health_probe import probe_health
from taskwire_gateway.measures import Measures
from taskwire_gateway.methods import QUEUE_SERVICE, TASK_SERVICE, queue_methods, task_methods
from taskwire_gateway.progress_reader import ProgressReader
from taskwire_gateway.queue_service import QueueService
from taskwire_gateway.reflection import reflection_handlers
from taskwire_gateway.seal import Seal
from taskwire_gateway.server import Handler, bind, make_server
from taskwire_gateway.tailer import Tailer
from taskwire_gateway.task_service import TaskService
from taskwire_gateway.task_watch import TaskWatcher
from taskwire_gateway.tenancy import TenantResolver, everyone_is_default
from taskwire_gateway.watch_reads import WatchReads
from taskwire_gateway.watches import Watches
from taskwire_migrations.schema import prepare_schema
from taskwire_shared.bus.bells import Bell, QueueNews
from taskwire_shared.bus.connection import Bus
from taskwire_shared.bus.notices import CancelNotices
from taskwire_shared.bus.rings import Ringer
from taskwire_shared.settings import Settings, is_loopback
from taskwire_shared.store.creations import Creations
from taskwire_shared.store.database import Database
from taskwire_shared.store.installation import Installation, read_installation
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.endpoint import serve_metrics
from taskwire_shared.telemetry.events import Event
from taskwire_shared.telemetry.looplag import watch_loop_lag
from taskwire_shared.telemetry.metrics import GatewayMetrics
from taskwire_shared.upkeep.partitioner import Partitioner
from taskwire_shared.upkeep.sweeper import Sweeper, calm_seconds_of

CONNECT_SECONDS = 60.0
"""For the database to answer when a gateway starts; they are often started together."""
BUS_SECONDS = 1.0
"""For NATS to answer when a gateway starts. It serves without, but its first tasks would start later."""
TURN_AWAY_SECONDS = 5.0
"""Between saying that we do not serve and not serving, for balancers to hear it. Not on loopback."""
TURN_AWAY_PART = 0.25
"""Of the grace, at most."""
LAST_CALLS_PART = 0.6
"""Of the grace, for unary calls in hand. What is left is for the waves of watches, connections and the pool."""

Ready = Callable[[str, str], None]
"""Told the address of gRPC and that of the metrics, empty where there are none."""

_log = logs.get(__name__)


async def serve(
    settings: Settings,
    *,
    stop: asyncio.Event,
    tenancy: TenantResolver = everyone_is_default,
    ready: Ready | None = None,
) -> None:
    """Serve until `stop` is set, then end gracefully.

    Raises, within an ExceptionGroup or alone: `BackendUnavailable` when the database does not answer at the start,
    `NotMigrated` when it is empty, `ListenError` when the address is taken.
    """
    await prepare_schema(settings, stop, empty_seconds=0.0)
    if stop.is_set():
        return
    registry = CollectorRegistry()
    metrics = GatewayMetrics(registry)
    health = Health((TASK_SERVICE, QUEUE_SERVICE))
    async with (
        Database.open(
            settings.database_url,
            pool_size=settings.database_pool_size,
            name="taskwire gateway",
            connect_timeout=CONNECT_SECONDS,
        ) as db,
        Bus.open(settings.nats_url, settings.nats_prefix) as bus,
        serve_metrics(settings.metrics_listen, registry, lambda: health.is_serving) as metrics_address,
        asyncio.TaskGroup() as group,
    ):
        gateway = Gateway(settings, db, bus, metrics, health, tenancy, await read_installation(db), group)
        await gateway.run(stop, lambda address: ready(address, metrics_address) if ready else None)


class Gateway:
    """The parts of one gateway, wired, and its life from the first call to the last."""

    def __init__(
        self,
        settings: Settings,
        db: Database,
        bus: Bus,
        metrics: GatewayMetrics,
        health: Health,
        tenancy: TenantResolver,
        installation: Installation,
        group: asyncio.TaskGroup,
    ) -> None:
        self._settings = settings
        self._health = health
        self._group = group
        self._bus = bus
        bell, ringer, news, seal = Bell(bus), Ringer(bus), QueueNews(bus), Seal(installation.token_secret)
        self._watches = Watches(settings.watches_max, settings.watch_age_seconds, settings.heartbeat_seconds, metrics)
        dispatcher = Dispatcher()
        tailer = Tailer(db, installation, dispatcher, self._watches, metrics)
        admission = Admission(db, metrics)
        creator = Creator(Creations(db), ringer, bell, news, metrics, group)
        reads = WatchReads(db)
        tasks = TaskService(db, creator, admission, seal, CancelNotices(bus), bell)
        self._edge = Edge(tenancy, Measures(metrics))
        self._methods = {
            TASK_SERVICE: task_methods(
                tasks,
                TaskWatcher(reads, tailer, dispatcher, self._watches, metrics),
                FeedWatcher(reads, tailer, dispatcher, self._watches, seal, metrics),
            ),
            QUEUE_SERVICE: queue_methods(QueueService(db, seal, news)),
        }
        sweeper = Sweeper(db, ringer, bell, calm_seconds=calm_seconds_of(settings.lease_seconds))
        metrics.follow(bus=bus, database=db, sweeper=sweeper)
        self._listener = bell.listen(tailer.wake)
        self._chores = (
            tailer.run(),
            ProgressReader(db, dispatcher).run(),
            admission.run(),
            probe_health(db, health),
            sweeper.run(),
            Partitioner(db, retention_days=settings.retention_days).run(),
            watch_loop_lag(metrics.loop_lag_seconds),
        )

    async def run(self, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
        """Serve until `stop` is set, then let calls in hand finish."""
        chores = [self._group.create_task(chore) for chore in self._chores]
        server = make_server(self._handlers())
        address = bind(server, self._settings)
        if not (self._settings.tls_cert_file or is_loopback(self._settings.listen)):
            _log.warning(Event.LISTENING_INSECURELY, address=address)
        try:
            await self._wait_for_bus()
            await server.start()
            self._health.serve_all()
            ready(address)
            await stop.wait()
            await self._leave(server)
        finally:
            # Does nothing after a graceful end.
            await server.stop(None)
            self._listener.close()
            for chore in chores:
                chore.cancel()

    async def _wait_for_bus(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(BUS_SECONDS):
                await self._bus.connected()

    def _handlers(self) -> list[Handler]:
        handlers = [self._edge.handlers(service, methods) for service, methods in self._methods.items()]
        handlers.append(self._health.handlers())
        if self._settings.reflection:
            handlers += reflection_handlers((*self._methods, HEALTH_SERVICE))
        return handlers

    async def _leave(self, server: grpc.aio.Server) -> None:
        """Say that we do not serve, end the watches, and let unary calls finish within the grace."""
        _log.info(Event.PROCESS_STOPPING, role="gateway")
        grace = self._settings.grace_seconds
        self._health.leave()
        if not is_loopback(self._settings.listen):
            await asyncio.sleep(min(TURN_AWAY_SECONDS, grace * TURN_AWAY_PART))
        await self._watches.leave()
        self._health.close()
        await server.stop(grace * LAST_CALLS_PART)
        await self._edge.finished(FAREWELL_SECONDS)

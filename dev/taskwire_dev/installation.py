"""A whole Taskwire in a data folder: Postgres, NATS, a gateway and a processor, kept running."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from time import monotonic

from msgspec import Struct

from taskwire_dev.data_folder import DataFolder
from taskwire_dev.database import prepare_database
from taskwire_dev.failure import StartFailed
from taskwire_dev.log_reader import LogReader
from taskwire_dev.nats import EmbeddedNats
from taskwire_dev.ports import LOOPBACK, free_port, free_port_near, is_free
from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_dev.service import SLACK_SECONDS, Service
from taskwire_dev.supervisor import Say, Supervisor
from taskwire_shared.settings import PREFIX, Settings, split_address

GRPC_PORT = 50051
GATEWAY_METRICS_PORT = 50052
PROCESSOR_METRICS_PORT = 50053

GRACE_SECONDS = 4.0
"""For work in hand, unless the user has set another: everything has to be stopped within 15 s."""
_SERVERS_STOP_SECONDS = 15.0
"""For Postgres and NATS together, at the very most."""


class Plan(Struct, frozen=True, kw_only=True):
    """What to run, and where."""

    settings: Settings
    environ: Mapping[str, str]
    """What the services see beside their settings, since handlers may need it."""
    folder: DataFolder
    say: Say
    verbose: bool = False
    """Whether every line of the logs of gateway and processor is shown, or only warnings."""


class Installation(Struct, frozen=True, kw_only=True):
    """A Taskwire that runs."""

    address: str
    """Of the gateway, for clients on this machine."""
    metrics: tuple[str, ...]
    gateway: Service
    processor: Service
    postgres: EmbeddedPostgres
    nats: EmbeddedNats

    @property
    def ready_line(self) -> str:
        """Return the line that tells programs that everything serves."""
        return f"taskwire ready grpc={self.address} metrics={','.join(self.metrics)}"


@asynccontextmanager
async def running(plan: Plan) -> AsyncIterator[Installation]:
    """Start everything in a data folder that the caller holds, and stop everything when the block ends.

    Raises a group of StartFailed when something does not start, or dies and cannot be started again.
    """
    _note_what_is_ignored(plan)
    postgres, nats = EmbeddedPostgres(plan.folder.postgres), EmbeddedNats(plan.folder.nats)
    async with Supervisor.open(plan.say) as supervisor:
        began = monotonic()
        await supervisor.start(postgres, nats)
        await prepare_database(postgres)
        plan.say(f"Postgres on port {postgres.port} and NATS on port {nats.port} after {monotonic() - began:.1f} s")
        gateway, processor = _services(plan, postgres, nats)
        async with _shown(plan, gateway, processor):
            await supervisor.start(gateway, processor)
            plan.say(f"Gateway and processor after {monotonic() - began:.1f} s")
            yield Installation(
                address=_as_reached(gateway.ready.grpc),
                metrics=(gateway.ready.metrics, processor.ready.metrics),
                gateway=gateway,
                processor=processor,
                postgres=postgres,
                nats=nats,
            )


def stop_seconds(settings: Settings) -> float:
    """Return how long stopping may take at the very most: the processor first, then the gateway, then the servers."""
    return 2 * (_grace(settings) + SLACK_SECONDS) + _SERVERS_STOP_SECONDS


def _grace(settings: Settings) -> float:
    return settings.grace_seconds if "grace_seconds" in settings.model_fields_set else GRACE_SECONDS


def _note_what_is_ignored(plan: Plan) -> None:
    for field in ("database_url", "nats_url", "migrate"):
        if field in plan.settings.model_fields_set:
            plan.say(f"{PREFIX}{field.upper()} is ignored: this Taskwire has a Postgres and a NATS of its own.")


def _services(plan: Plan, postgres: EmbeddedPostgres, nats: EmbeddedNats) -> tuple[Service, Service]:
    given = plan.settings.model_fields_set
    shared = plan.settings.model_copy(
        update={
            "database_url": postgres.url("taskwire"),
            "nats_url": (nats.url,),
            "grace_seconds": _grace(plan.settings),
            "migrate": False,
            "listen": _address(plan.settings.listen, "listen" in given, GRPC_PORT),
        }
    )
    first = _address(plan.settings.metrics_listen, "metrics_listen" in given, GATEWAY_METRICS_PORT)
    return (
        _service("gateway", plan, shared.model_copy(update={"metrics_listen": first})),
        _service("processor", plan, shared.model_copy(update={"metrics_listen": _next_address(first)})),
    )


def _service(kind: str, plan: Plan, settings: Settings) -> Service:
    environment = {name: value for name, value in plan.environ.items() if not name.startswith(PREFIX)}
    return Service(
        kind,
        kind,
        environment=environment | settings.as_environment(),
        log=plan.folder.logs / f"{kind}.log",
        grace=settings.grace_seconds,
        move=partial(_other_addresses, plan.settings.model_fields_set),
    )


def _other_addresses(given: AbstractSet[str], environment: Mapping[str, str], why: str) -> dict[str, str]:
    """Replace those addresses that we chose and that somebody else has taken since, or had while it mattered."""
    moved = {}
    for field in ("listen", "metrics_listen"):
        address = environment[f"{PREFIX}{field.upper()}"]
        host, port = split_address(address)
        if field not in given and (f"cannot listen on {address}" in why or not is_free(port, host)):
            moved[f"{PREFIX}{field.upper()}"] = f"{host}:{free_port(host)}"
    return moved


def _address(wanted: str, is_given: bool, usual_port: int) -> str:
    """Return where to listen: exactly where the user said, or else on the usual port or any free one."""
    if not is_given or not wanted:
        return f"{LOOPBACK}:{free_port_near(usual_port)}"
    host, port = split_address(wanted)
    if port == 0:
        # Chosen now, so that a gateway that is started again has the same.
        return wanted.removesuffix("0") + str(free_port_near(None, host))
    if not is_free(port, host):
        raise StartFailed(f"{wanted} is taken by another program. Set another address, or none to get a free one.")
    return wanted


def _next_address(address: str) -> str:
    host, port = split_address(address)
    wanted = PROCESSOR_METRICS_PORT if port == GATEWAY_METRICS_PORT else port + 1
    return address.removesuffix(str(port)) + str(free_port_near(wanted, host))


def _as_reached(address: str) -> str:
    host, port = split_address(address)
    return f"{LOOPBACK}:{port}" if host in {"0.0.0.0", "::"} else address


@asynccontextmanager
async def _shown(plan: Plan, *services: Service) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(_show(plan, service.log, service.name)) for service in services]
        try:
            yield
        finally:
            for reader in readers:
                reader.cancel()


async def _show(plan: Plan, log: Path, name: str) -> None:
    await LogReader(log).follow(partial(_say_with_prefix, plan.say, name), everything=plan.verbose)


def _say_with_prefix(say: Say, name: str, line: str) -> None:
    say(f"[{name}] {line}")

"""What docker-compose.yml and the Dockerfile say works, shown without Docker: settings, commands, health checks."""

import asyncio
import json
import re
import shlex
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import yaml

from taskwire_dev.nats import EmbeddedNats
from taskwire_dev.ports import free_port
from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_shared.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
SERVING = sorted(OURS.keys() - {"migrate"})


@dataclass
class Stage:
    """One target of the Dockerfile, with what it takes over from the stage that it is built on."""

    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)
    user: str = "0"


def _stages() -> dict[str, Stage]:
    stages: dict[str, Stage] = {}
    stage = Stage()
    text = (REPOSITORY / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        match word:
            case "FROM":
                base, _, name = rest.split()
                old = stages.get(base, Stage())
                stage = Stage(dict(old.environment), old.entrypoint, old.command, old.healthcheck, old.user)
                stages[name] = stage
            case "ENV":
                stage.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
            case "ENTRYPOINT":
                stage.entrypoint = json.loads(rest)
            case "CMD":
                stage.command = json.loads(rest)
            case "HEALTHCHECK":
                stage.healthcheck = json.loads(rest.partition(" CMD ")[2])
            case "USER":
                stage.user = rest
    return stages


STAGES = _stages()


def _stage(service: str) -> Stage:
    return STAGES[OURS[service]["build"]["target"]]


def _environment(service: str) -> dict[str, str]:
    """Return what the container gets where the operator has set nothing."""
    values = _stage(service).environment | OURS[service]["environment"]
    filled = {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in values.items()}
    return {name: value for name, value in filled.items() if name.startswith("TASKWIRE_")}


@pytest.mark.parametrize("service", sorted(OURS))
def test_settings_are_valid(service: str) -> None:
    settings = Settings.from_environment(_environment(service))

    assert f"{COMPOSE['services']['postgres']['environment']['POSTGRES_DB']}" in settings.database_url
    assert all(url.startswith("nats://nats:") for url in settings.nats_url)


@pytest.mark.parametrize("service", sorted(OURS))
def test_container_is_not_root_and_outlives_its_grace(service: str) -> None:
    settings = Settings.from_environment(_environment(service))

    assert int(_stage(service).user.split(":")[0]) > 0
    assert OURS[service]["read_only"]
    assert int(OURS[service]["stop_grace_period"].removesuffix("s")) > settings.grace_seconds


def test_everything_waits_for_the_migration_and_nothing_for_nats() -> None:
    for service in SERVING:
        assert OURS[service]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "nats": {"condition": "service_started"},
        }
    assert OURS["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_processors_scale() -> None:
    """A published port or a name of its own would make the second one fail."""
    assert not {"ports", "container_name", "hostname"} & OURS["processor"].keys()


@dataclass
class Container:
    """A service as Compose would run it, on free ports of this machine."""

    environment: dict[str, str]
    healthcheck: list[str]
    command: list[str]

    async def run(self, *command: str) -> asyncio.subprocess.Process:
        """Start a command in it; its output goes to that of the test."""
        assert command[0] == "taskwire"
        program = Path(sysconfig.get_path("scripts")) / "taskwire"
        # Only the words that a container has: nothing of the environment of the test.
        environment = {"PATH": "/usr/bin:/bin", **self.environment}
        return await asyncio.create_subprocess_exec(program, *command[1:], env=environment)

    async def is_healthy(self) -> bool:
        """Run the health check."""
        async with asyncio.timeout(20):
            return await (await self.run(*self.healthcheck)).wait() == 0


@pytest.fixture(scope="module")
async def database_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """Make an empty database, as the container of Postgres does."""
    name = f"compose_{uuid4().hex}"
    connection = await asyncpg.connect(postgres.url("postgres"))
    await connection.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture(scope="module")
async def container(database_url: str, nats: EmbeddedNats) -> Callable[[str], Container]:
    prefix = f"compose{uuid4().hex[:8]}"

    def make(service: str) -> Container:
        environment = _environment(service) | {
            "TASKWIRE_DATABASE_URL": database_url,
            "TASKWIRE_NATS_PREFIX": prefix,
            "TASKWIRE_NATS_URL": nats.url,
        }
        for name in ("TASKWIRE_LISTEN", "TASKWIRE_METRICS_LISTEN"):
            if name in environment:
                host, _, _ = environment[name].rpartition(":")
                environment[name] = f"{host}:{free_port()}"
        stage = _stage(service)
        command = OURS[service].get("command", stage.command)
        return Container(environment, stage.healthcheck, [*stage.entrypoint, *command])

    return make


@pytest.fixture(scope="module")
async def migrated(container: Callable[[str], Container]) -> None:
    """Run the one-shot service that the others wait for."""
    migrate = container("migrate")
    async with asyncio.timeout(50):
        assert await (await migrate.run(*migrate.command)).wait() == 0


@asynccontextmanager
async def _running(container: Container) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await container.run(*container.command)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.usefixtures("migrated")
@pytest.mark.parametrize("service", SERVING)
async def test_service_runs_becomes_healthy_and_stops(
    service: str, container: Callable[[str], Container], eventually: Callable[..., Any]
) -> None:
    running = container(service)
    assert not await running.is_healthy()

    async with _running(running) as process:
        await eventually(
            lambda: running.is_healthy() if process.returncode is None else True,
            timeout=40,
            what=f"health of {service}",
        )
        assert process.returncode is None, "it has ended by itself"
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(int(OURS[service]["stop_grace_period"].removesuffix("s"))):
            assert await process.wait() == 0

    assert not await running.is_healthy()


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, str]:
    """Make a certificate and return the variables that name it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    words = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=taskwire"]
    subprocess.run([*words, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return {"TASKWIRE_TLS_CERT_FILE": certificate, "TASKWIRE_TLS_KEY_FILE": key}


@pytest.mark.usefixtures("migrated")
async def test_gateway_with_tls_becomes_healthy(
    container: Callable[[str], Container], eventually: Callable[..., Any], tls: dict[str, str]
) -> None:
    gateway = container("gateway-1")
    gateway.environment |= tls

    async with _running(gateway):
        await eventually(gateway.is_healthy, timeout=40, what="health of a gateway with TLS")


@pytest.mark.usefixtures("migrated")
async def test_migrating_again_changes_nothing(container: Callable[[str], Container]) -> None:
    migrate = container("migrate")
    async with asyncio.timeout(50):
        assert await (await migrate.run(*migrate.command)).wait() == 0

"""Real servers for every test that wants them: one Postgres and one NATS a session, a fresh database a test."""

import asyncio
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from inspect import isawaitable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import nats as nats_client
import pytest

from taskwire_dev.nats import EmbeddedNats
from taskwire_dev.ports import LOOPBACK
from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_migrations.migrate import upgrade
from taskwire_shared.bus.connection import Bus
from taskwire_shared.settings import Settings
from taskwire_shared.store.database import Database

_MEMORY = Path("/dev/shm")
_MEMORY_BYTES_MIN = 2 * 1024**3
_POLL_SECONDS = 0.01
_EVENTUALLY_SECONDS = 15.0

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def memory_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make a folder in memory where the system has one: a database a test costs 0.05 s there, and 1.4 s on a disk."""
    if not _MEMORY.is_dir() or shutil.disk_usage(_MEMORY).free < _MEMORY_BYTES_MIN:
        yield tmp_path_factory.mktemp("memory")
        return
    with TemporaryDirectory(prefix="taskwire-tests-", dir=_MEMORY, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
async def postgres(memory_folder: Path) -> AsyncIterator[EmbeddedPostgres]:
    """Run one Postgres for the session. A test that stops it, or needs a disk below it, runs one of its own."""
    async with EmbeddedPostgres(memory_folder / "postgres") as running:
        yield running


@pytest.fixture(scope="session")
async def nats(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedNats]:
    """Run one NATS for the session. A test that stops it runs one of its own."""
    async with EmbeddedNats(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture(scope="session")
async def template_database(postgres: EmbeddedPostgres) -> str:
    """Migrate one database, of which every test gets a copy."""
    name = "template_taskwire"
    await _administer(postgres, f"CREATE DATABASE {name}")
    await upgrade(postgres.url(name))
    return name


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[str]:
    """Make a database with all tables and nothing in them, for this test alone."""
    name = f"test_{next(_numbers)}"
    await _administer(postgres, f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy")
    yield postgres.url(name)
    # Processes that a test has started may still be connected.
    await _administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


async def _administer(postgres: EmbeddedPostgres, statement: str) -> None:
    connection = await asyncpg.connect(postgres.url("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """Open a pool of connections to the test's own database."""
    async with Database.open(database_url, name="tests") as opened:
        yield opened


@pytest.fixture
async def settings(database_url: str, nats: EmbeddedNats, nats_prefix: str) -> Callable[..., Settings]:
    """Give a function that makes settings for this test's database and NATS; what it is given goes before."""

    def make(**given: Any) -> Settings:
        usual = {
            "listen": f"{LOOPBACK}:0",
            "database_url": database_url,
            "nats_url": nats.url,
            "nats_prefix": nats_prefix,
        }
        return Settings.model_validate(usual | given)

    return make


@pytest.fixture
async def nats_prefix(nats: EmbeddedNats) -> AsyncIterator[str]:
    """Make a name under which this test alone rings; its streams are deleted afterwards."""
    prefix = f"t{os.getpid()}-{next(_numbers)}"
    yield prefix
    client = await nats_client.connect(nats.url)
    streams = await client.jetstream().streams_info()
    for name in [stream.config.name for stream in streams]:
        if name and name.lower().startswith(f"{prefix}_"):
            await client.jetstream().delete_stream(name)
    await client.close()


@pytest.fixture
async def bus(nats: EmbeddedNats, nats_prefix: str) -> AsyncIterator[Bus]:
    """Open a connection to NATS that is there when the test starts."""
    async with Bus.open(nats.url, nats_prefix) as opened:
        await _eventually(lambda: opened.is_connected, what="a connection to NATS")
        yield opened


async def _eventually(
    condition: Callable[[], Any | Awaitable[Any]], *, timeout: float = _EVENTUALLY_SECONDS, what: str = "the condition"
) -> Any:
    last: Any = None
    try:
        async with asyncio.timeout(timeout):
            while not last:
                result = condition()
                last = await result if isawaitable(result) else result
                if not last:
                    await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"{what} did not come true within {timeout} s; the last value was {last!r}") from None
    return last


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Awaitable[Any]]:
    """Give a function that waits for another process: until a condition, which may be a coroutine function, holds."""
    return _eventually

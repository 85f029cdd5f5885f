"""What is abused: one gateway and one processor on a Postgres and a NATS of their own."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import asyncpg
import psutil

from taskwire_chaos.abuse.census import FOLDER_VARIABLE, Census, take_census
from taskwire_chaos.abuse.handlers import TYPES
from taskwire_dev.nats import EmbeddedNats
from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_dev.service import Service
from taskwire_dev.stack import Stack
from taskwire_migrations.migrate import upgrade

POOL_SIZE = 10
DATABASE = "abuse"
_PACKAGES = Path(__file__).resolve().parents[2]
_SITE = Path(__file__).resolve().parent / "site"
_LINES_MAX = 5
"""Of a log, in a report."""
_FAULTS = ("Traceback", '"level": "error"', '"level":"error"', "Fatal Python error")

_WAITING = """
SELECT count(*) FROM tasks t
WHERE state = 3 OR (type = ANY ($1::text[]) AND (state = 2 OR (state = 1 AND due_at < now() + interval '10 s')))
"""
_UNFINISHED = "SELECT id::text FROM tasks WHERE state <= 3"
_STATES = "SELECT state, count(*) FROM tasks GROUP BY state ORDER BY state"


class Target:
    """Services that run."""

    def __init__(self, folder: Path, stack: Stack, database_url: str, environment: dict[str, str]) -> None:
        self.environment = environment
        self._folder = folder
        self._stack = stack
        self._url = database_url

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path) -> AsyncIterator[Self]:
        """Start everything in `folder`, and stop it at the end."""
        census = folder / "census"
        census.mkdir(parents=True)
        async with EmbeddedPostgres(folder / "postgres") as postgres, EmbeddedNats(folder / "nats") as nats:
            await _create(postgres.url("postgres"))
            url = postgres.url(DATABASE)
            await upgrade(url)
            environment = {
                "TASKWIRE_DATABASE_URL": url,
                "TASKWIRE_DATABASE_POOL_SIZE": str(POOL_SIZE),
                "TASKWIRE_NATS_URL": nats.url,
                "TASKWIRE_HANDLERS": "taskwire_chaos.abuse.handlers",
                FOLDER_VARIABLE: str(census),
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{_SITE}{os.pathsep}{_PACKAGES}",
            }
            async with Stack(environment, folder=folder) as stack:
                await stack.gateway()
                await stack.processor()
                yield cls(folder, stack, url, environment)

    @property
    def address(self) -> str:
        """Return where the gateway listens."""
        return self._stack.gateways[0].ready.grpc

    @property
    def services(self) -> tuple[Service, ...]:
        """Return the gateway and the processor."""
        return (*self._stack.gateways, *self._stack.processors)

    async def census(self) -> list[Census]:
        """Look at what the services have in their hands."""
        folder = self._folder / "census"
        return [await take_census(one.kind, one.child.pid, folder, self._url) for one in self.services]

    def gateway_mib(self) -> float:
        """Return the resident memory of the gateway."""
        rss: int = psutil.Process(self._stack.gateways[0].child.pid).memory_info().rss
        return round(rss / 1024**2, 1)

    async def waiting(self) -> int:
        """Return how many tasks run, or are to be run by our processor soon."""
        (row,) = await self._ask(_WAITING, list(TYPES))
        return int(row[0])

    async def unfinished(self) -> list[str]:
        """Return the ids of all tasks that have not ended."""
        return [row[0] for row in await self._ask(_UNFINISHED)]

    async def states(self) -> dict[int, int]:
        """Return how many tasks are in each state."""
        return {row[0]: row[1] for row in await self._ask(_STATES)}

    def faults(self) -> list[str]:
        """Return what the services have logged of faults of their own, and which of them have ended."""
        found = [f"the {one.name} has ended" for one in self.services if not one.is_running]
        for service in self.services:
            with service.log.open(errors="replace") as log:
                lines = [line.strip()[:1_000] for line in log if any(word in line for word in _FAULTS)]
            found += [f"{service.name} logged: {line}" for line in lines[:_LINES_MAX]]
        return found

    async def _ask(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self._url)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
            return rows
        finally:
            await connection.close()


async def _create(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await connection.close()

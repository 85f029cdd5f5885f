"""Whole stacks of processes, servers of a test's own, and the audit that every history has to pass."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from taskwire.client import Client
from taskwire_dev.nats import EmbeddedNats
from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_dev.stack import Stack
from taskwire_migrations.migrate import upgrade
from taskwire_shared.domain.transitions import LEGAL_STEPS

FAULTS = Path(__file__).parent / "faults"
SHORT_LEASE_SECONDS = "2"
CALL_SECONDS = 20.0
"""Longer than any restart that a test makes, so that a call that cannot be answered yet is answered late."""

_AUDIT = {
    "versions that do not go 1, 2, 3": "SELECT task_id FROM task_events GROUP BY 1"
    " HAVING max(version) <> count(*) OR min(version) <> 1",
    "rows that differ from their last event": "SELECT t.id FROM tasks t JOIN task_events e"
    " ON e.task_id = t.id AND e.version = t.version WHERE e.state <> t.state OR e.attempt <> t.attempt",
    "rows without their last event": "SELECT t.id FROM tasks t"
    " WHERE NOT EXISTS (SELECT FROM task_events e WHERE e.task_id = t.id AND e.version = t.version)",
    "tasks with two ends": "SELECT task_id FROM task_events WHERE state >= 4 GROUP BY 1 HAVING count(*) > 1",
    "attempts that went back": "SELECT e.task_id FROM task_events e JOIN task_events b"
    " ON b.task_id = e.task_id AND b.version = e.version - 1 WHERE e.attempt < b.attempt",
    "more attempts than allowed": "SELECT id FROM tasks WHERE attempt - excused > coalesce(max_attempts, 3)",
    "results in the wrong place": "SELECT id FROM tasks WHERE (failure IS NOT NULL) <> (state = 5)"
    " OR (output IS NOT NULL AND state <> 4)",
}
_STEPS = (
    "SELECT DISTINCT b.state AS before, e.state AS after FROM task_events e LEFT JOIN task_events b"
    " ON b.task_id = e.task_id AND b.version = e.version - 1"
)

Audit = Callable[[str], Awaitable[None]]


@pytest.fixture(scope="session")
def audit() -> Audit:
    """Give a function that checks every history in a database: gapless, legal, one end."""

    async def check(url: str) -> None:
        connection = await asyncpg.connect(url)
        try:
            for what, statement in _AUDIT.items():
                assert await connection.fetch(statement) == [], what
            steps = {(row["before"], row["after"]) for row in await connection.fetch(_STEPS)}
            assert steps <= LEGAL_STEPS
        finally:
            await connection.close()

    return check


@pytest.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """Run a Postgres that this test may stop."""
    async with EmbeddedPostgres(tmp_path / "postgres") as running:
        await upgrade(running.url("postgres"))
        yield running


@pytest.fixture
async def own_nats(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    """Run a NATS that this test may stop."""
    async with EmbeddedNats(tmp_path / "nats") as running:
        yield running


@pytest.fixture
def stack_over(tmp_path: Path) -> Callable[..., Stack]:
    """Give a function that makes a stack of processes over given servers, with a short lease."""

    def make(database_url: str, nats_url: str, prefix: str = "taskwire", **variables: str) -> Stack:
        environment = {
            "PATH": os.environ["PATH"],
            "TASKWIRE_DATABASE_URL": database_url,
            "TASKWIRE_NATS_URL": nats_url,
            "TASKWIRE_NATS_PREFIX": prefix,
            "TASKWIRE_LEASE_SECONDS": SHORT_LEASE_SECONDS,
            "TASKWIRE_CANCEL_GRACE_SECONDS": "1",
        }
        given = {f"TASKWIRE_{name.upper()}": value for name, value in variables.items()}
        folder = tmp_path / "logs"
        folder.mkdir(exist_ok=True)
        return Stack({**environment, **given}, folder=folder)

    return make


@pytest.fixture
async def stack(
    stack_over: Callable[..., Stack], database_url: str, nats: EmbeddedNats, nats_prefix: str
) -> AsyncIterator[Stack]:
    """Make an empty stack over the servers of the session."""
    async with stack_over(database_url, nats.url, nats_prefix) as made:
        yield made


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[str], Client]]:
    """Give a function that opens a client which is closed after the test."""
    clients: list[Client] = []

    def open_client(address: str) -> Client:
        clients.append(Client(address, timeout=CALL_SECONDS))
        return clients[-1]

    yield open_client
    for client in clients:
        await client.close()


@pytest.fixture(scope="session")
def faulty() -> Callable[[str], str]:
    """Give the PYTHONPATH that plants a fault, named by its folder, into a process."""

    def path(fault: str) -> str:
        return str(FAULTS / fault)

    return path

"""Real servers for every test that wants them: one Postgres and one NATS a session, a fresh database a test."""

from collections.abc import AsyncIterator

import pytest

from taskwire_dev.nats import EmbeddedNats
from taskwire_dev.postgres import EmbeddedPostgres


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    """Run one Postgres for the session, as durable as in production."""
    async with EmbeddedPostgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture(scope="session")
async def nats(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedNats]:
    """Run one NATS for the session."""
    async with EmbeddedNats(tmp_path_factory.mktemp("nats")) as running:
        yield running

import pytest

from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.store.database import Database
from taskwire_shared.store.health import probe


async def test_a_database_that_answers_is_well(db):
    await probe(db)


async def test_a_database_that_is_gone_is_not(tmp_path):
    async with EmbeddedPostgres(tmp_path) as server, Database.open(server.url("postgres")) as db:
        await probe(db)
        await server.stop()
        with pytest.raises(BackendUnavailable):
            await probe(db)

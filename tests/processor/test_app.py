"""A whole processor: what it serves beside tasks, and how its start can fail."""

import asyncio
import urllib.request

import psutil
import pytest

from taskwire_processor.app import Deaf, serve
from taskwire_processor.runner_process import HandlersUnloadable


def _get(address: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        # It holds the connection.
        with error:
            return error.code, ""


async def test_metrics_and_health(service, tasks, db, eventually):
    one = await service(metrics_listen="127.0.0.1:0", lease_seconds=1)
    await tasks.ends(await tasks.create("pid"))
    await tasks.ends(await tasks.create("fail", False))
    health = await asyncio.to_thread(_get, one.ready.metrics, "/healthz")
    _, metrics = await asyncio.to_thread(_get, one.ready.metrics, "/metrics")
    # Its renewals get no answer any more.
    async with db._pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE processors")
        await eventually(lambda: _get(one.ready.metrics, "/healthz")[0] == 503)

    assert health == (200, "ok\n")
    for line in (
        "taskwire_task_processing_success_total 1.0",
        "taskwire_task_processing_failure_total 1.0",
        "taskwire_task_processing_seconds_count 2.0",
        "taskwire_create_to_complete_seconds_count 1.0",
        "taskwire_create_to_start_seconds_count 2.0",
    ):
        assert line in metrics


async def test_handlers_that_cannot_be_loaded_end_the_start(settings):
    with pytest.raises(ExceptionGroup) as raised:
        await serve(settings(handlers=("broken_handlers",)), stop=asyncio.Event())

    assert raised.group_contains(HandlersUnloadable, match="ZeroDivisionError")


async def test_a_stop_while_the_handlers_are_loaded_ends_the_start(settings, db, meeting, monkeypatch):
    monkeypatch.setenv("MEETING", str(meeting.folder))
    stop, others = asyncio.Event(), set(psutil.Process().children())
    serving = asyncio.create_task(serve(settings(handlers=("endless_handlers",)), stop=stop))
    await meeting.sees("loading")
    [runner] = set(psutil.Process().children()) - others
    stop.set()
    await asyncio.wait_for(serving, 10)

    assert not runner.is_running()
    assert await db.fetchval("SELECT count(*) FROM processors") == 0


async def test_a_cancel_just_after_the_handlers_are_loaded_leaves_no_runner(settings, db, monkeypatch):
    loaded = []

    async def cancelled_then(stop, work):
        await work
        loaded.extend(set(psutil.Process().children()) - others)
        raise asyncio.CancelledError

    monkeypatch.setattr("taskwire_processor.tenure._unless", cancelled_then)
    others = set(psutil.Process().children())
    with pytest.raises(asyncio.CancelledError):
        await serve(settings(handlers=("sample_handlers",)), stop=asyncio.Event())

    [runner] = loaded
    assert not runner.is_running()


async def test_deaf_processor_drains_and_ends(settings, tasks, monkeypatch):
    monkeypatch.setattr("taskwire_processor.deafness.Deafness.judge", lambda self, found: self.is_hopeless.set())
    with pytest.raises(ExceptionGroup) as raised:
        await serve(settings(handlers=("sample_handlers",)), stop=asyncio.Event())

    assert raised.group_contains(Deaf)


async def test_stop_before_the_start_is_done(settings, db):
    stop = asyncio.Event()
    stop.set()
    await asyncio.wait_for(serve(settings(handlers=("sample_handlers",)), stop=stop), 20)

    assert await db.fetchval("SELECT count(*) FROM processors WHERE lease_until > clock_timestamp()") == 0

"""The one reader: it reads while somebody watches, from where it stopped, whatever Postgres does."""

import asyncio
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway import tailer as module
from taskwire_gateway.alarm import Alarm
from taskwire_gateway.convert import new_task
from taskwire_gateway.dispatcher import Dispatcher
from taskwire_gateway.feed import Feed
from taskwire_gateway.tailer import Tailer
from taskwire_gateway.watches import Watches
from taskwire_shared.domain.errors import BackendUnavailable, ResumeTokenExpired, WatchMoved
from taskwire_shared.domain.selector import EVERY_TASK
from taskwire_shared.store import events
from taskwire_shared.store.creations import Creations
from taskwire_shared.store.installation import read_installation
from taskwire_shared.telemetry.metrics import GatewayMetrics

SECONDS = 10


@pytest.fixture
async def tail(db):
    """A running tailer and what belongs to it."""
    metrics = GatewayMetrics(CollectorRegistry())
    dispatcher, watches = Dispatcher(), Watches(10, 300, 15, metrics)
    tailer = Tailer(db, await read_installation(db), dispatcher, watches, metrics)
    running = asyncio.create_task(tailer.run())
    yield SimpleNamespace(tailer=tailer, dispatcher=dispatcher, watches=watches)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@asynccontextmanager
async def _feed(tail):
    alarm = Alarm()
    feed = Feed("t", EVERY_TASK, alarm)
    with tail.dispatcher.dealing_to(feed):
        await tail.tailer.joined(feed)
        yield feed, alarm


async def _store(db, count=1):
    tasks = [new_task("t", pb.CreateTaskRequest(task=task_pb2.Task(type="echo"))) for _ in range(count)]
    await Creations(db).create_tasks(tasks)
    return {task.id for task in tasks}


async def _take(feed, alarm, count):
    taken = []
    async with asyncio.timeout(SECONDS):
        while len(taken) < count:
            stretch = feed.take(500)
            if stretch is None:
                await alarm.wait(asyncio.get_running_loop().time() + 1)
            else:
                taken += [change.task.id for change in stretch.changes]
    return taken


async def test_p6_what_is_committed_after_joining_is_dealt_without_a_bell(db, tail):
    await _store(db)
    async with _feed(tail) as (feed, alarm):
        ids = await _store(db, 3)
        taken = await _take(feed, alarm, 3)
        assert set(taken) == ids


async def test_nothing_is_read_while_nobody_watches(db, tail, monkeypatch):
    reads = []

    async def counted(*args):
        reads.append(args)

    for read in ("current_position", "feed_since", "moves_since"):
        monkeypatch.setattr(events, read, counted)
    tail.tailer.wake()
    # The tailer has its turn before Postgres has answered.
    await db.fetchval("SELECT 1")
    assert reads == []


async def test_p6_it_goes_on_from_its_position_after_an_outage(db, tail, monkeypatch):
    monkeypatch.setattr(module, "OUTAGE_PAUSE_SECONDS", 0.01)
    plain, failed = events.feed_since, asyncio.Event()

    async def failing(*_args):
        failed.set()
        raise BackendUnavailable

    async with _feed(tail) as (feed, alarm):
        monkeypatch.setattr(events, "feed_since", failing)
        ids = await _store(db, 2)
        tail.tailer.wake()
        await asyncio.wait_for(failed.wait(), SECONDS)
        ids |= await _store(db, 2)
        monkeypatch.setattr(events, "feed_since", plain)
        taken = await _take(feed, alarm, 4)
        assert set(taken) == ids


async def test_a_bell_is_heard_while_the_first_watch_joins(db, tail, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 60.0)
    plain, ids = events.current_position, set()

    async def overtaken(*args):
        position = await plain(*args)
        ids.update(await _store(db))
        tail.tailer.wake()
        return position

    monkeypatch.setattr(events, "current_position", overtaken)
    async with _feed(tail) as (feed, alarm):
        assert set(await _take(feed, alarm, 1)) == ids


@pytest.mark.parametrize("failure", [BackendUnavailable, ResumeTokenExpired])
async def test_a_read_that_failed_is_made_up_for_without_another_bell(db, tail, monkeypatch, failure):
    monkeypatch.setattr(module, "LOOK_SECONDS", 60.0)
    monkeypatch.setattr(module, "OUTAGE_PAUSE_SECONDS", 0.01)
    plain, failures = events.feed_since, [failure]

    async def failing(*args):
        if failures:
            raise failures.pop()
        return await plain(*args)

    async with _feed(tail):
        monkeypatch.setattr(events, "feed_since", failing)
        async with _feed(tail):
            assert not failures


async def test_p6_a_page_is_dealt_once_when_the_database_goes_away_behind_it(db, tail, monkeypatch):
    monkeypatch.setattr(module, "OUTAGE_PAUSE_SECONDS", 0.01)
    failed = asyncio.Event()

    async def failing(*_args):
        failed.set()
        raise BackendUnavailable

    task = new_task("t", pb.CreateTaskRequest(task=task_pb2.Task(type="echo")))
    async with _feed(tail) as (feed, alarm):
        with tail.dispatcher.follow(task.id, Alarm()) as follower:
            follower.follow_from(0)
            monkeypatch.setattr(events, "versions_after", failing)
            await Creations(db).create_tasks([task])
            await asyncio.wait_for(failed.wait(), SECONDS)
            later = await _store(db)
            assert await _take(feed, alarm, 2) == [task.id, *later]
            assert follower.is_behind


async def test_p6_pages_are_read_until_there_is_nothing_more(db, tail, monkeypatch):
    monkeypatch.setattr(module, "PAGE_TASKS_MAX", 5)
    async with _feed(tail) as (feed, alarm):
        ids = set()
        for _ in range(7):
            ids |= await _store(db, 3)
        assert set(await _take(feed, alarm, 21)) == ids


async def test_p6_a_watch_joins_while_there_is_always_more_to_read(db, tail, monkeypatch):
    plain = events.feed_since

    async def endless(*args):
        page = await plain(*args)
        return events.FeedPage(page.items, page.xids, page.position, is_complete=False)

    monkeypatch.setattr(events, "feed_since", endless)
    async with _feed(tail), _feed(tail) as (feed, alarm):
        await tail.tailer.joined()
        ids = await _store(db)
        assert set(await _take(feed, alarm, 1)) == ids


@pytest.mark.parametrize("sign", ["expired", "incarnation"])
async def test_p6_a_restored_database_sends_the_watchers_away(db, tail, monkeypatch, sign):
    monkeypatch.setattr(module, "OUTAGE_PAUSE_SECONDS", 0.01)
    plain = events.feed_since
    failures = [ResumeTokenExpired() if sign == "expired" else BackendUnavailable()]

    async def failing(*args):
        if failures:
            raise failures.pop()
        return await plain(*args)

    with tail.watches.open("WatchTasks") as watch:
        async with _feed(tail):
            await db.execute("UPDATE installation SET incarnation = gen_random_uuid()")
            monkeypatch.setattr(events, "feed_since", failing)
            tail.tailer.wake()
            async with asyncio.timeout(SECONDS):
                await watch.wait()
            with pytest.raises(WatchMoved):
                watch.check_age()
        async with _feed(tail) as (feed, alarm):
            ids = await _store(db)
            assert set(await _take(feed, alarm, 1)) == ids


@pytest.mark.parametrize("watched", [True, False])
async def test_p6_another_database_behind_the_same_address_sends_the_watchers_away(db, tail, watched):
    before = tail.tailer.incarnation
    with tail.watches.open("WatchTasks") as watch:
        if watched:
            async with _feed(tail):
                await db.execute("UPDATE installation SET incarnation = gen_random_uuid()")
                tail.tailer.wake()
                async with asyncio.timeout(SECONDS):
                    await watch.wait()
        else:
            await db.execute("UPDATE installation SET incarnation = gen_random_uuid()")
            async with _feed(tail) as (feed, alarm):
                assert await _store(db) == set(await _take(feed, alarm, 1))
        with pytest.raises(WatchMoved):
            watch.check_age()
    assert tail.tailer.incarnation != before


async def test_a_join_does_not_wait_for_ever(db, tail, monkeypatch):
    monkeypatch.setattr(module, "JOIN_SECONDS", 0.05)

    async def away(*_args):
        raise BackendUnavailable

    monkeypatch.setattr(events, "current_position", away)
    with pytest.raises(BackendUnavailable):
        await tail.tailer.joined()


async def test_p6_followers_whose_versions_did_not_fit_a_read_are_told_to_read_themselves(
    db, tail, monkeypatch, eventually
):
    monkeypatch.setattr(module, "VERSIONS_MAX", 1)
    tasks = [new_task("t", pb.CreateTaskRequest(task=task_pb2.Task(type="echo"))) for _ in range(2)]
    one, other = (task.id for task in tasks)
    with tail.dispatcher.follow(one, Alarm()) as first, tail.dispatcher.follow(other, Alarm()) as second:
        await tail.tailer.joined()
        for follower in (first, second):
            follower.follow_from(0)
        await Creations(db).create_tasks(tasks)
        tail.tailer.wake()
        await eventually(lambda: first.is_behind and second.is_behind, timeout=5)

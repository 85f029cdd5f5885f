"""What one watcher of everything has been dealt: filtered, in order, and bounded."""

import asyncio
from datetime import UTC, datetime

import pytest

from taskwire_gateway import feed as module
from taskwire_gateway.alarm import Alarm
from taskwire_gateway.feed import Change, Feed
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.selector import TaskSelector
from taskwire_shared.domain.task import RetryPolicy, Task, TaskPriority, TaskState
from taskwire_shared.store.events import FeedPage
from taskwire_shared.store.positions import Position

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _changes(count, tenant="mine", queue="mail"):
    return [Change(_task(tenant, queue), xid) for xid in range(count)]


def _task(tenant="mine", queue="mail"):
    return Task(
        id=new_id(),
        tenant=tenant,
        queue=queue,
        type="echo",
        priority=TaskPriority.NORMAL,
        state=TaskState.PENDING,
        version=1,
        attempt=0,
        excused=0,
        retry_policy=RetryPolicy(),
        created_at=NOW.timestamp(),
        updated_at=NOW.timestamp(),
    )


def _position(number):
    return Position(number)


@pytest.fixture
def feed():
    return Feed("mine", TaskSelector(queues=frozenset({"mail"})), Alarm())


def test_p10_only_what_the_watcher_may_see_and_wants_is_kept(feed):
    mine, theirs, elsewhere = _changes(1), _changes(1, tenant="theirs"), _changes(1, queue="other")

    feed.offer([*theirs, *mine, *elsewhere], _position(1))

    assert feed.take(10).changes == mine
    assert feed.take(10) is None
    page = FeedPage([mine[0].task, theirs[0].task], [1, 2], _position(2), is_complete=True)
    assert [change.task for change in feed.pick(page)] == [mine[0].task]


def test_it_moves_on_where_there_was_nothing_to_keep(feed):
    feed.offer(_changes(2, tenant="theirs"), _position(7))

    assert feed.position == _position(7)
    assert feed.take(10) is None


def test_stretches_come_in_order_and_together_where_they_fit(feed):
    first, second, third = _changes(2), _changes(3), _changes(1)
    for number, changes in enumerate((first, second, third)):
        feed.offer(changes, _position(number))

    both = feed.take(5)
    rest = feed.take(5)

    assert (both.changes, both.position) == ([*first, *second], _position(1))
    assert (rest.changes, rest.position) == (third, _position(2))


def test_a_stretch_is_not_divided(feed):
    """Its position is behind all of it."""
    changes = _changes(8)
    feed.offer(changes, _position(1))

    assert feed.take(5).changes == changes


def test_p9_a_watcher_that_does_not_keep_up_is_given_up(feed, monkeypatch):
    monkeypatch.setattr(module, "BUFFER_CHANGES_MAX", 5)
    feed.offer(_changes(5), _position(1))
    assert not feed.has_overflown

    feed.offer(_changes(1), _position(2))
    feed.offer(_changes(1), _position(3))

    assert feed.has_overflown
    assert feed.take(10) is None
    assert feed.position == _position(3)


def test_one_that_keeps_up_may_get_any_number(feed, monkeypatch):
    monkeypatch.setattr(module, "BUFFER_CHANGES_MAX", 5)
    for number in range(10):
        feed.offer(_changes(2), _position(number))
        feed.offer(_changes(2), _position(number))
        assert len(feed.take(3).changes) == 2
        assert len(feed.take(4).changes) == 2

    assert not feed.has_overflown


async def test_the_watcher_is_woken_for_what_it_wants():
    alarm = Alarm()
    feed = Feed("mine", TaskSelector(), alarm)
    waiting = asyncio.ensure_future(alarm.wait(asyncio.get_running_loop().time() + 60))
    await asyncio.sleep(0)

    feed.offer(_changes(1, tenant="theirs"), _position(1))
    await asyncio.sleep(0)
    assert not waiting.done()

    feed.offer(_changes(1), _position(2))
    async with asyncio.timeout(5):
        await waiting


def test_a_change_is_encoded_once_for_all():
    [change] = _changes(1)

    assert change.encoded
    assert change.encoded is change.encoded

"""Who gets what."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from taskwire_gateway import feed as feed_module
from taskwire_gateway.alarm import Alarm
from taskwire_gateway.dispatcher import Dispatcher
from taskwire_gateway.feed import Feed
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.selector import EVERY_TASK, TaskSelector
from taskwire_shared.domain.task import Progress, RetryPolicy, Task, TaskPriority, TaskState
from taskwire_shared.store.events import FeedPage
from taskwire_shared.store.positions import Position

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _task(version=1, **fields):
    plain = Task(
        id=new_id(),
        tenant="t",
        queue="q",
        type="echo",
        priority=TaskPriority.NORMAL,
        state=TaskState.PENDING,
        version=version,
        attempt=0,
        excused=0,
        retry_policy=RetryPolicy(),
        created_at=NOW.timestamp(),
        updated_at=NOW.timestamp(),
    )
    return msgspec.structs.replace(plain, **fields)


def _page(tasks, xmax):
    return FeedPage(tasks, [xmax - 1] * len(tasks), Position(xmax), is_complete=True)


@pytest.fixture
def dispatcher():
    return Dispatcher()


def test_a_task_is_dealt_to_its_followers_only(dispatcher):
    task, other = _task(), _task()
    with dispatcher.follow(task.id, Alarm()) as one, dispatcher.follow(task.id, Alarm()) as two:
        for follower in (one, two):
            follower.follow_from(0)
        dispatcher.deal([other, task])
        assert one.take() is task
        assert two.take() is task
        assert one.take() is None
    assert not dispatcher.has_watchers


def test_what_is_read_is_what_the_last_of_the_followers_needs(dispatcher):
    task = _task()
    with dispatcher.follow(task.id, Alarm()) as one, dispatcher.follow(task.id, Alarm()) as two:
        one.follow_from(4)
        two.follow_from(2)
        assert dispatcher.followed([task.id, new_id()]) == [(task.id, 2)]
        two.miss()
        assert dispatcher.followed([task.id]) == [(task.id, 4)]
    with dispatcher.follow(task.id, Alarm()) as unknown:
        assert dispatcher.followed([task.id]) == []
        assert unknown.is_behind


def test_reports_go_to_those_who_follow_a_running_task(dispatcher):
    task = _task()
    with dispatcher.follow(task.id, Alarm()) as follower:
        assert dispatcher.running() == []
        follower.is_running = True
        assert dispatcher.running() == [task.id]
        report = Progress(0.5, "half", NOW + timedelta(seconds=1))
        dispatcher.report({task.id: report, new_id(): report})
        assert follower.progress is report


def test_a_feed_gets_what_it_wants_and_every_position(dispatcher):
    mine, foreign, other = _task(queue="mail"), _task(tenant="u", queue="mail"), _task()
    feed = Feed("t", TaskSelector(queues=frozenset({"mail"})), Alarm())
    with dispatcher.dealing_to(feed):
        dispatcher.add(feed)
        dispatcher.deal_page(_page([mine, foreign, other], 10))
        dispatcher.deal_page(_page([other], 11))
        stretch = feed.take(500)
        assert [(change.task, change.xid) for change in stretch.changes] == [(mine, 9)]
        assert stretch.position == Position(10)
        assert (feed.take(500), feed.position) == (None, Position(11))
    assert not dispatcher.has_feeds


def test_stretches_are_joined_while_they_fit():
    feed = Feed("t", EVERY_TASK, Alarm())
    dispatcher = Dispatcher()
    dispatcher.add(feed)
    for number in range(5):
        dispatcher.deal_page(_page([_task(), _task()], number))
    assert [(len(stretch.changes), stretch.position.xmax) for stretch in iter(lambda: feed.take(5), None)] == [
        (4, 1),
        (4, 3),
        (2, 4),
    ]


def test_a_feed_that_overflows_says_so_and_keeps_nothing(monkeypatch):
    monkeypatch.setattr(feed_module, "BUFFER_CHANGES_MAX", 3)
    feed = Feed("t", EVERY_TASK, Alarm())
    dispatcher = Dispatcher()
    dispatcher.add(feed)
    dispatcher.deal_page(_page([_task(), _task()], 1))
    assert not feed.has_overflown
    dispatcher.deal_page(_page([_task(), _task()], 2))
    dispatcher.deal_page(_page([_task()], 3))
    assert feed.has_overflown
    assert feed.take(500) is None

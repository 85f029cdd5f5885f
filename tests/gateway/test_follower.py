"""One watcher of one task: in order, without gaps, or behind."""

from datetime import UTC, datetime, timedelta

from taskwire_gateway import follower as module
from taskwire_gateway.alarm import Alarm
from taskwire_gateway.follower import Follower
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.task import Progress, RetryPolicy, Task, TaskPriority, TaskState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ID = new_id()


def _version(version):
    return Task(
        id=ID,
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


def _follower(version):
    follower = Follower(ID, Alarm())
    follower.follow_from(version)
    return follower


def _taken(follower):
    taken = []
    while (task := follower.take()) is not None:
        taken.append(task.version)
    return taken


def test_versions_come_once_and_in_order():
    follower = _follower(1)
    for version in (1, 2, 2, 3, 1):
        follower.offer(_version(version))
    assert (_taken(follower), follower.is_behind, follower.known_version) == ([2, 3], False, 3)


def test_a_gap_puts_it_behind_until_it_has_read():
    follower = _follower(1)
    follower.offer(_version(2))
    follower.offer(_version(4))
    assert (_taken(follower), follower.is_behind, follower.known_version) == ([], True, None)
    follower.offer(_version(5))
    follower.fall_back()
    assert not follower.is_behind
    follower.offer(_version(6))
    assert follower.is_behind
    follower.follow_from(5)
    assert follower.is_behind
    follower.fall_back()
    follower.follow_from(6)
    follower.offer(_version(7))
    assert _taken(follower) == [7]


def test_too_many_put_it_behind():
    follower = _follower(0)
    for version in range(1, module.BUFFER_VERSIONS_MAX + 1):
        follower.offer(_version(version))
    assert not follower.is_behind
    follower.offer(_version(module.BUFFER_VERSIONS_MAX + 1))
    assert follower.is_behind
    assert _taken(follower) == []


def test_the_newest_report_counts():
    follower = _follower(1)
    early, late = (Progress(part, "", NOW + timedelta(seconds=part)) for part in (0.1, 0.2))
    follower.report(late)
    follower.report(early)
    assert follower.progress == late

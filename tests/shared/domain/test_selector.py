"""Which tasks a selector picks."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from taskwire_shared.domain.selector import EVERY_TASK, TaskSelector
from taskwire_shared.domain.task import RetryPolicy, Task, TaskPriority, TaskState

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TASK = Task(
    id=UUID(int=1),
    tenant="default",
    queue="mail",
    type="send",
    priority=TaskPriority.NORMAL,
    state=TaskState.RUNNING,
    version=2,
    attempt=1,
    excused=0,
    retry_policy=RetryPolicy(),
    created_at=NOON.timestamp(),
    updated_at=NOON.timestamp(),
    labels={"team": "red", "order": "7"},
)


@pytest.mark.parametrize(
    "selector",
    [
        EVERY_TASK,
        TaskSelector(queues=frozenset({"mail", "other"})),
        TaskSelector(types=frozenset({"send"})),
        TaskSelector(states=frozenset({TaskState.RUNNING, TaskState.FAILED})),
        TaskSelector(labels={"team": "red"}),
        TaskSelector(labels={"team": "red", "order": "7"}),
        TaskSelector(min_created_at=NOON),
        TaskSelector(max_created_at=NOON + timedelta(microseconds=1)),
    ],
)
def test_task_is_picked(selector: TaskSelector) -> None:
    assert selector.matches(TASK)


@pytest.mark.parametrize(
    "selector",
    [
        TaskSelector(queues=frozenset({"other"})),
        TaskSelector(types=frozenset({"sen"})),
        TaskSelector(states=frozenset({TaskState.FAILED})),
        TaskSelector(states=frozenset()),
        TaskSelector(labels={"team": "blue"}),
        TaskSelector(labels={"team": "red", "size": "7"}),
        TaskSelector(min_created_at=NOON + timedelta(microseconds=1)),
        TaskSelector(max_created_at=NOON),
        TaskSelector(queues=frozenset({"mail"}), types=frozenset({"other"})),
    ],
)
def test_task_is_not_picked(selector: TaskSelector) -> None:
    assert not selector.matches(TASK)


def test_task_without_labels_is_not_picked_by_any() -> None:
    assert not TaskSelector(labels={"team": "red"}).matches(msgspec.structs.replace(TASK, labels={}))

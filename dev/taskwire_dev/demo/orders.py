"""What the demo creates, and how each of its tasks is meant to end."""

from datetime import UTC, datetime, timedelta
from itertools import chain, repeat

from msgspec import Struct

from taskwire.ids import fresh_task_id
from taskwire.requests import NewTask
from taskwire.task import TaskPriority, TaskState

LABEL = "demo"
"""The label that all tasks of a run carry, with a value of their own."""

_QUEUES = ("default", "mail", "reports")
_PRIORITIES = (TaskPriority.NORMAL, TaskPriority.HIGH, TaskPriority.LOW)
_BACKOFF_SECONDS = 0.2
_BACKOFF_MAX_SECONDS = 1.0
"""So that repeats are seen within the few seconds of the demo."""


class Kind(Struct, frozen=True, kw_only=True):
    """A sort of task."""

    name: str
    share: int
    """How many of 20 tasks."""
    type: str
    input: object
    ends: TaskState
    delay_seconds: float | None = None
    expire_seconds: float | None = None
    max_attempts: int | None = None
    cancelled: bool = False
    """Whether the demo cancels it."""


class Order(Struct, frozen=True):
    """A task to create."""

    task_id: str
    kind: Kind
    task: NewTask


_S = TaskState
KINDS = (
    Kind(name="echo", share=7, type="echo", input="hello", ends=_S.SUCCEEDED),
    Kind(name="sleep", share=4, type="sleep", input={"seconds": 0.2}, ends=_S.SUCCEEDED),
    Kind(name="crunch", share=2, type="crunch", input={"n": 20_000}, ends=_S.SUCCEEDED),
    Kind(name="delayed", share=2, type="echo", input="later", ends=_S.SUCCEEDED, delay_seconds=2),
    Kind(name="flaky", share=1, type="flaky", input={"failures": 2}, ends=_S.SUCCEEDED),
    Kind(name="hopeless", share=1, type="flaky", input={"failures": 9}, ends=_S.FAILED, max_attempts=2),
    Kind(name="expiring", share=1, type="no-such-handler", input="?", ends=_S.FAILED, expire_seconds=3),
    Kind(name="cancelled", share=1, type="sleep", input={"seconds": 60}, ends=_S.CANCELLED, cancelled=True),
    Kind(name="called off", share=1, type="echo", input="never", ends=_S.CANCELLED, delay_seconds=3600, cancelled=True),
)


def make_orders(count: int, run: str) -> list[Order]:
    """Return `count` orders, the kinds mixed, all labelled with `run`."""
    kinds = list(chain.from_iterable(repeat(kind, kind.share) for kind in KINDS))
    # 7 is prime to 20: every 20 tasks have each kind in its share, but not one kind after the other.
    return [_order(kinds[number * 7 % len(kinds)], number, run) for number in range(count)]


def _order(kind: Kind, number: int, run: str) -> Order:
    task_id = fresh_task_id()
    task = NewTask(
        type=kind.type,
        input=kind.input,
        queue=_QUEUES[number % len(_QUEUES)],
        priority=_PRIORITIES[number % 7 % len(_PRIORITIES)],
        schedule_time=datetime.now(UTC) + timedelta(seconds=kind.delay_seconds) if kind.delay_seconds else None,
        expire_time=datetime.now(UTC) + timedelta(seconds=kind.expire_seconds) if kind.expire_seconds else None,
        max_attempts=kind.max_attempts,
        initial_backoff=_BACKOFF_SECONDS,
        max_backoff=_BACKOFF_MAX_SECONDS,
        labels={LABEL: run},
        task_id=task_id,
    )
    return Order(task_id, kind, task)

"""What the demo creates, and how each of its tasks is meant to end."""

import json
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import Struct

from taskwire.v1 import task_pb2, task_service_pb2
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.task import TaskState

LABEL = "demo"
"""The label that all tasks of a run carry, with a value of their own."""

_QUEUES = ("default", "mail", "reports")
_PRIORITIES = (task_pb2.TASK_PRIORITY_NORMAL, task_pb2.TASK_PRIORITY_HIGH, task_pb2.TASK_PRIORITY_LOW)


class Kind(Struct, frozen=True, kw_only=True):
    """A sort of task."""

    name: str
    share: int
    """How many of 20 tasks."""
    type: str
    input: object
    ends: TaskState
    delay_seconds: float = 0
    expire_seconds: float = 0
    max_attempts: int = 0
    cancelled: bool = False
    """Whether the demo cancels it."""


class Order(Struct, frozen=True):
    """A task to create."""

    task_id: str
    kind: Kind
    request: task_service_pb2.CreateTaskRequest


S = TaskState
KINDS = (
    Kind(name="echo", share=7, type="echo", input="hello", ends=S.SUCCEEDED),
    Kind(name="sleep", share=4, type="sleep", input={"seconds": 0.2}, ends=S.SUCCEEDED),
    Kind(name="crunch", share=2, type="crunch", input={"n": 20_000}, ends=S.SUCCEEDED),
    Kind(name="delayed", share=2, type="echo", input="later", ends=S.SUCCEEDED, delay_seconds=2),
    Kind(name="flaky", share=1, type="flaky", input={"failures": 2}, ends=S.SUCCEEDED),
    Kind(name="hopeless", share=1, type="flaky", input={"failures": 9}, ends=S.FAILED, max_attempts=2),
    Kind(name="expiring", share=1, type="no-such-handler", input="?", ends=S.FAILED, expire_seconds=3),
    Kind(name="cancelled", share=1, type="sleep", input={"seconds": 60}, ends=S.CANCELLED, cancelled=True),
    Kind(name="called off", share=1, type="echo", input="never", ends=S.CANCELLED, delay_seconds=3600, cancelled=True),
)


def make_orders(count: int, run: str) -> list[Order]:
    """Return `count` orders, the kinds mixed, all labelled with `run`."""
    kinds = list(chain.from_iterable(repeat(kind, kind.share) for kind in KINDS))
    # 7 is prime to 20: every 20 tasks have each kind in its share, but not one kind after the other.
    return [_order(kinds[number * 7 % len(kinds)], number, run) for number in range(count)]


def _order(kind: Kind, number: int, run: str) -> Order:
    task_id = str(new_id())
    task = task_pb2.Task(
        queue=_QUEUES[number % len(_QUEUES)],
        type=kind.type,
        priority=_PRIORITIES[number % 7 % len(_PRIORITIES)],
        input=task_pb2.Payload(text=json.dumps(kind.input), content_type="application/json"),
        labels={LABEL: run},
        retry_policy=task_pb2.RetryPolicy(
            max_attempts=kind.max_attempts,
            initial_backoff=Duration(nanos=200_000_000),
            max_backoff=Duration(seconds=1),
        ),
        schedule_time=_in(kind.delay_seconds),
        expire_time=_in(kind.expire_seconds),
    )
    return Order(task_id, kind, task_service_pb2.CreateTaskRequest(task=task, task_id=task_id))


def _in(seconds: float) -> Timestamp | None:
    if not seconds:
        return None
    moment = Timestamp()
    moment.FromDatetime(datetime.now(UTC) + timedelta(seconds=seconds))
    return moment

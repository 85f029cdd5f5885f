"""Requests at a limit, one below it and one above, with the answer that each must get."""

import random
import time
from collections.abc import Callable, Iterable

from google.protobuf.message import Message
from msgspec import Struct

from taskwire.v1 import queue_service_pb2 as queue_pb
from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_chaos.abuse.world import World
from taskwire_shared.domain import limits


class Border(Struct, frozen=True):
    """A limit."""

    name: str
    method: str
    limit: int
    make: Callable[[int, random.Random, World], Message]
    """Takes the size."""
    code: str = "INVALID_ARGUMENT"
    """The answer to one more than the limit."""
    steps: tuple[int, ...] = (-1, 0, 1)
    weight: int = 8
    """How often it is tried: seldom where it is dear."""


def _create(**given: object) -> pb.CreateTaskRequest:
    # Expired soon, so that what nobody serves ends as well.
    request = pb.CreateTaskRequest(task=task_pb2.Task(**{"type": "abuse.echo", "queue": "abuse-0", **given}))  # type: ignore[arg-type]
    request.task.expire_time.FromMilliseconds(int(time.time() * 1000) + 60_000)
    return request


def _policy(**given: int) -> pb.CreateTaskRequest:
    return _create(retry_policy=task_pb2.RetryPolicy(**given))  # type: ignore[arg-type]


def _labels(size: int) -> dict[str, str]:
    return {f"label-{number}": "x" for number in range(size)}


def _text(size: int, letter: str) -> pb.CreateTaskRequest:
    return _create(
        input=task_pb2.Payload(text=letter * (size // len(letter.encode())) + "x" * (size % len(letter.encode())))
    )


def _timeout(size: int) -> pb.CreateTaskRequest:
    request = _policy(max_attempts=1)
    request.task.retry_policy.attempt_timeout.seconds = size
    return request


def _batch(size: int) -> pb.BatchCreateTasksRequest:
    return pb.BatchCreateTasksRequest(requests=[_create() for _ in range(size)])


def _whole(size: int) -> pb.BatchCreateTasksRequest:
    """Make a message of exactly so many bytes, inputs for the most part."""
    request = pb.BatchCreateTasksRequest()
    while request.ByteSize() < size - 270_000:
        request.requests.append(_create(type="abuse.nap", input=task_pb2.Payload(binary=bytes(250_000))))
    filler = request.requests.add()
    filler.CopyFrom(_create(type="abuse.nap", input=task_pb2.Payload(binary=b"")))
    filler.task.input.binary = bytes(max(0, size - request.ByteSize() - 12))
    while (missing := size - request.ByteSize()) != 0:
        filler.task.input.binary = bytes(len(filler.task.input.binary) + missing)
    return request


def _tasks_selector(field: str, size: int) -> pb.ListTasksRequest:
    request = pb.ListTasksRequest(page_size=1)
    values: Iterable[object] = [f"n{number}" for number in range(size)] if field != "states" else [4] * size
    getattr(request.selector, field).extend(values)
    return request


def _labels_selector(size: int) -> pb.ListTasksRequest:
    return pb.ListTasksRequest(page_size=1, selector=pb.TaskSelector(labels=_labels(size)))


def _key(size: int, rng: random.Random) -> pb.CreateTaskRequest:
    return pb.CreateTaskRequest(task=_create().task, idempotency_key=f"{rng.getrandbits(64):x}".ljust(size, "k")[:size])


B = limits
BORDERS = (
    Border("queue", "CreateTask", B.QUEUE_CHARS_MAX, lambda n, _r, _w: _create(queue="q" * n)),
    Border("queue", "GetQueue", B.QUEUE_CHARS_MAX, lambda n, _r, _w: queue_pb.GetQueueRequest(queue="q" * n)),
    Border("type", "CreateTask", B.TYPE_CHARS_MAX, lambda n, _r, _w: _create(type="é" * n)),
    Border("payload", "CreateTask", B.PAYLOAD_BYTES_MAX, lambda n, _r, _w: _text(n, "a"), weight=1),
    Border("payload in emoji", "CreateTask", B.PAYLOAD_BYTES_MAX, lambda n, _r, _w: _text(n, "\U0001f480"), weight=1),
    Border(
        "payload in bytes",
        "CreateTask",
        B.PAYLOAD_BYTES_MAX,
        lambda n, rng, _w: _create(input=task_pb2.Payload(binary=rng.randbytes(n))),
        weight=1,
    ),
    Border(
        "content type",
        "CreateTask",
        B.CONTENT_TYPE_CHARS_MAX,
        lambda n, _r, _w: _create(input=task_pb2.Payload(text="", content_type="c" * n)),
    ),
    Border("labels", "CreateTask", B.LABELS_MAX, lambda n, _r, _w: _create(labels=_labels(n))),
    Border("key of a label", "CreateTask", B.LABEL_KEY_CHARS_MAX, lambda n, _r, _w: _create(labels={"é" * n: ""})),
    Border("label", "CreateTask", B.LABEL_VALUE_CHARS_MAX, lambda n, _r, _w: _create(labels={"a": "\U0001f480" * n})),
    Border("idempotency key", "CreateTask", B.IDEMPOTENCY_KEY_CHARS_MAX, lambda n, rng, _w: _key(n, rng)),
    Border("attempts", "CreateTask", B.MAX_ATTEMPTS_MAX, lambda n, _r, _w: _policy(max_attempts=n)),
    Border("duration", "CreateTask", B.DURATION_SECONDS_MAX, lambda n, _r, _w: _timeout(n)),
    Border(
        "reason",
        "CancelTask",
        B.CANCEL_REASON_CHARS_MAX,
        lambda n, rng, world: pb.CancelTaskRequest(task_id=world.task_id(rng), reason="\U0001f480" * n),
    ),
    Border("batch", "BatchCreateTasks", B.BATCH_TASKS_MAX, lambda n, _r, _w: _batch(n), weight=1),
    Border(
        "message", "BatchCreateTasks", B.MESSAGE_BYTES_MAX, lambda n, _r, _w: _whole(n), "RESOURCE_EXHAUSTED", weight=1
    ),
    Border("queues", "ListTasks", B.SELECTOR_QUEUES_MAX, lambda n, _r, _w: _tasks_selector("queues", n)),
    Border("types", "ListTasks", B.SELECTOR_TYPES_MAX, lambda n, _r, _w: _tasks_selector("types", n)),
    Border("states", "ListTasks", B.SELECTOR_STATES_MAX, lambda n, _r, _w: _tasks_selector("states", n)),
    Border("labels", "ListTasks", B.SELECTOR_LABELS_MAX, lambda n, _r, _w: _labels_selector(n)),
)
WEIGHTS = [border.weight for border in BORDERS]

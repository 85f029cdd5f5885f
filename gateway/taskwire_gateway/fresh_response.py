"""The response to a batch of which every task is new: written without making a message of each.

Where tasks differ in nothing but their ids, so do the bytes that describe them. They are encoded once and cut in two
where the id belongs, as its length never changes: 0.5 us a task instead of 8.
"""

from collections.abc import Sequence
from datetime import datetime

from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway.convert import created_message, timestamp
from taskwire_shared.domain.task import NewTask
from taskwire_shared.store.creations import is_plain

_PLACE = "\0" * 36
"""Stands where an id belongs. Neither a queue nor a type has a NUL."""


def fresh_response(tasks: Sequence[NewTask], created_at: datetime) -> bytes:
    """Encode the `BatchCreateTasksResponse` for `tasks`, all of which have been stored at `created_at`."""
    shapes: dict[tuple[str, str, int], tuple[bytes, bytes]] = {}
    parts: list[bytes] = []
    for task in tasks:
        if not is_plain(task):
            parts.append(_encode(task, created_at, str(task.id)))
            continue
        shape = task.queue, task.type, task.priority
        halves = shapes.get(shape)
        if halves is None:
            before, after = _encode(task, created_at, _PLACE).split(_PLACE.encode())
            halves = shapes[shape] = before, after
        parts += (halves[0], str(task.id).encode(), halves[1])
    # Messages that are written one after the other are read as one, with the items of all.
    return b"".join(parts)


def _encode(task: NewTask, created_at: datetime, task_id: str) -> bytes:
    message = created_message(task, created_at, timestamp(created_at))
    message.id = task_id
    return pb.BatchCreateTasksResponse(responses=[pb.CreateTaskResponse(task=message)]).SerializeToString()

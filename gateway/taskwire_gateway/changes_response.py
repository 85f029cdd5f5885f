"""The responses of `WatchTasks` with changes, put together from tasks that were encoded once for all watchers.

A message within a message is the number of its field, its length and its bytes. To have the library copy hundreds of
tasks into a message and encode that one, for each watcher again, costs 3 us a task; to join what is encoded, 0.1.
"""

from collections.abc import Iterable

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_shared.domain import limits
from taskwire_shared.varint import put_number

MESSAGE_BYTES_MAX = 2 * 1024 * 1024
"""Of changes in one message: half of what clients accept by default."""

_LENGTH_DELIMITED = 2
"""The wire type of messages."""


def encode_change(task: task_pb2.Task) -> bytes:
    """Encode `task` as one of the `tasks` of a `TaskChanges`."""
    return _field(pb.TaskChanges.TASKS_FIELD_NUMBER, task.SerializeToString())


def changes_response(changes: Iterable[bytes], token: str) -> bytes:
    """Encode the `WatchTasksResponse` of `changes`, each made by `encode_change`."""
    rest = pb.WatchTasksResponse(resume_token=token).SerializeToString()
    return _field(pb.WatchTasksResponse.CHANGES_FIELD_NUMBER, b"".join(changes)) + rest


def portions(changes: Iterable[bytes]) -> list[list[bytes]]:
    """Divide `changes` into what fits one message each."""
    found: list[list[bytes]] = []
    room = 0
    for change in changes:
        if len(change) > room or len(found[-1]) >= limits.CHANGES_PER_MESSAGE_MAX:
            found.append([])
            room = MESSAGE_BYTES_MAX
        found[-1].append(change)
        room -= len(change)
    return found


def _field(number: int, body: bytes) -> bytes:
    head = bytearray()
    put_number(head, number << 3 | _LENGTH_DELIMITED)
    put_number(head, len(body))
    return bytes(head) + body

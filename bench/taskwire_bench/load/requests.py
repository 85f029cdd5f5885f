"""Requests, made before the clock starts."""

from collections.abc import Iterator, Sequence
from typing import Any

import grpc

from taskwire.v1 import task_pb2, task_service_pb2, task_service_pb2_grpc
from taskwire_bench.load.orders import SERVICE
from taskwire_shared.domain.ids import new_id

CREATE = f"/{SERVICE}/CreateTask"
CALL_SECONDS = 60.0
_OPTIONS = (
    ("grpc.max_receive_message_length", 16 * 1024**2),
    # Else all channels to one address share one connection.
    ("grpc.use_local_subchannel_pool", 1),
)


def connect(address: str) -> Any:
    """Open a channel with a connection of its own. The caller closes it.

    `Any`, since the stubs of grpc insist on serializers, and bytes need none.
    """
    return grpc.aio.insecure_channel(address, options=_OPTIONS)


def create_request(kind: str, queue: str, payload: bytes) -> task_service_pb2.CreateTaskRequest:
    """Make a request with an id of its own, as the client library does."""
    request = task_service_pb2.CreateTaskRequest(task_id=str(new_id()))
    request.task.type = kind
    request.task.queue = queue
    if payload:
        request.task.input.CopyFrom(task_pb2.Payload(binary=payload))
    return request


def creates(count: int, kind: str, queue: str, payload_bytes: int) -> Iterator[task_service_pb2.CreateTaskRequest]:
    """Make `count` requests with payloads of that size."""
    payload = b"p" * payload_bytes
    return (create_request(kind, queue, payload) for _ in range(count))


def batches(
    count: int, kind: str, queue: str, payload_bytes: int, batch: int
) -> list[task_service_pb2.BatchCreateTasksRequest]:
    """Make requests that create `count` tasks, `batch` in each."""
    requests = creates(count, kind, queue, payload_bytes)
    sizes = [batch] * (count // batch) + ([count % batch] if count % batch else [])
    return [batch_of([next(requests) for _ in range(size)]) for size in sizes]


def batch_of(requests: Sequence[task_service_pb2.CreateTaskRequest]) -> task_service_pb2.BatchCreateTasksRequest:
    """Make one batch."""
    return task_service_pb2.BatchCreateTasksRequest(requests=requests)


def batch_call(channel: Any) -> Any:
    """Return the method that creates a batch, as the stub has it: it encodes requests and reads answers."""
    return task_service_pb2_grpc.TaskServiceStub(channel).BatchCreateTasks

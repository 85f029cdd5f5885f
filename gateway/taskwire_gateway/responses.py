"""Keeping responses below the size that gRPC clients accept by default, 4 MiB."""

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway.validation import RESPONSE_BYTES_MAX


def fit_batch(response: pb.BatchCreateTasksResponse) -> pb.BatchCreateTasksResponse:
    """Take failures out of a response that is too big.

    Validation has seen to it that new tasks fit. Tasks that existed before may have failed since, with up to 37 KiB of
    explanation each; `GetTask` has it.
    """
    if response.ByteSize() > RESPONSE_BYTES_MAX:
        for item in response.responses:
            item.task.ClearField("last_failure")
            item.task.ClearField("progress")
            if item.task.HasField("failure"):
                reason = item.task.failure.reason
                item.task.failure.CopyFrom(task_pb2.Failure(reason=reason))
    return response

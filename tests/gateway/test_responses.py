"""Responses stay below what clients take."""

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway.responses import fit_batch
from taskwire_gateway.validation import RESPONSE_BYTES_MAX


def _response(count):
    failure = task_pb2.Failure(reason="BROKEN", message="x" * 1024, metadata={str(n): "y" * 255 for n in range(16)})
    item = pb.CreateTaskResponse(
        task=task_pb2.Task(id="i" * 36, failure=failure, last_failure=failure), deduplicated=True
    )
    return pb.BatchCreateTasksResponse(responses=[item] * count)


def test_a_small_response_is_left_alone():
    response = _response(10)
    assert fit_batch(response).responses[0].task.failure.message


def test_explanations_are_left_out_of_a_big_one():
    response = fit_batch(_response(1000))
    assert response.ByteSize() < RESPONSE_BYTES_MAX
    assert len(response.responses) == 1000
    assert response.responses[999].task.failure == task_pb2.Failure(reason="BROKEN")

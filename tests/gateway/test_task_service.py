"""The unary methods over a real server."""

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb


async def test_a_created_task_can_be_got(api):
    created = await api.tasks.CreateTask(
        pb.CreateTaskRequest(task=task_pb2.Task(type="echo", input=task_pb2.Payload(text="hello")))
    )
    assert created.task.state == task_pb2.TASK_STATE_PENDING
    assert not created.task.HasField("input")
    got = await api.tasks.GetTask(pb.GetTaskRequest(task_id=created.task.id))
    assert got.task.input.text == "hello"
    assert got.task.wait_reason == task_pb2.WAIT_REASON_NO_PROCESSOR

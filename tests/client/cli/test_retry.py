"""`taskwire retry`."""

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as tasks_pb


async def test_new_task_is_shown(run, gateway) -> None:
    gateway.script("RetryTask", tasks_pb.RetryTaskResponse(task=task_pb2.Task(id="new", retry_of="old")))

    ran = await run("retry", "old")

    assert gateway.requests[0].task_id == "old"
    assert ran.json_lines() == [{"id": "new", "retryOf": "old"}]

"""`taskwire cancel`."""

import grpc

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as tasks_pb


async def test_reason_arrives(run, gateway) -> None:
    task = task_pb2.Task(id="t", state=task_pb2.TASK_STATE_CANCELLED, done=True)
    gateway.script("CancelTask", tasks_pb.CancelTaskResponse(task=task))

    ran = await run("cancel", "t", "--reason", "no longer needed")

    assert (gateway.requests[0].task_id, gateway.requests[0].reason) == ("t", "no longer needed")
    assert ran.json_lines()[0]["state"] == "TASK_STATE_CANCELLED"


async def test_too_late_is_an_error(run, gateway, reject) -> None:
    gateway.script(
        "CancelTask", reject(grpc.StatusCode.FAILED_PRECONDITION, "TASK_ALREADY_FINISHED", message="too late")
    )

    ran = await run("cancel", "t")

    assert (ran.code, ran.err) == (1, "taskwire: TASK_ALREADY_FINISHED: too late\n")

"""`taskwire get`."""

import grpc

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as tasks_pb


async def test_task_is_shown(run, gateway) -> None:
    task = task_pb2.Task(id="t", input=task_pb2.Payload(text="hi"), wait_reason=task_pb2.WAIT_REASON_NO_PROCESSOR)
    gateway.script("GetTask", tasks_pb.GetTaskResponse(task=task))

    as_json, as_text = await run("get", "t"), await run("get", "t", "--output", "text")

    assert as_json.json_lines() == [{"id": "t", "input": {"text": "hi"}, "waitReason": "WAIT_REASON_NO_PROCESSOR"}]
    assert "NO_PROCESSOR" in as_text.out
    assert "input        hi" in as_text.out


async def test_unknown_task_is_one_line(run, gateway, reject) -> None:
    gateway.script("GetTask", reject(grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND", message="There is no such task."))

    ran = await run("get", "x")

    assert (ran.code, ran.out, ran.err) == (1, "", "taskwire: TASK_NOT_FOUND: There is no such task.\n")

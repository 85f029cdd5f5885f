"""`taskwire watch`."""

from datetime import UTC, datetime

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from taskwire import watching
from taskwire.v1 import queue_service_pb2 as queues_pb
from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as tasks_pb


def _final(state: task_pb2.TaskState.ValueType) -> tasks_pb.WatchTaskResponse:
    task = task_pb2.Task(id="t", version=2, state=state, done=True, output=task_pb2.Payload(text="result"))
    return tasks_pb.WatchTaskResponse(task=task)


@pytest.mark.parametrize(
    ("state", "code"),
    [(task_pb2.TASK_STATE_SUCCEEDED, 0), (task_pb2.TASK_STATE_FAILED, 3), (task_pb2.TASK_STATE_CANCELLED, 4), (42, 1)],
)
async def test_exit_code_says_how_the_task_ended(run, gateway, state, code) -> None:
    gateway.script("GetTask", tasks_pb.GetTaskResponse(task=task_pb2.Task(id="t")))
    gateway.script("WatchTask", [_final(state)])

    assert (await run("watch", "t")).code == code


async def test_versions_and_progress_are_lines(run, gateway) -> None:
    running = task_pb2.Task(id="t", version=1, state=task_pb2.TASK_STATE_RUNNING, attempt_count=1)
    progress = task_pb2.Progress(fraction=0.5, message="half \x1b[31m")
    gateway.script("GetTask", tasks_pb.GetTaskResponse(task=running))
    gateway.script(
        "WatchTask",
        [
            tasks_pb.WatchTaskResponse(task=running),
            tasks_pb.WatchTaskResponse(heartbeat=tasks_pb.WatchHeartbeat(progress=progress)),
            _final(task_pb2.TASK_STATE_SUCCEEDED),
        ],
    )

    lines = (await run("watch", "t", "--history", "--output", "text")).out.splitlines()

    assert [line.split() for line in lines] == [
        ["v1", "RUNNING", "attempt", "1"],
        ["v1", "RUNNING", "attempt", "1", "50%", "half", "\\x1b[31m"],
        ["v2", "SUCCEEDED", "result"],
    ]
    assert gateway.requests[1].after_version == 0


async def test_history_has_the_times_of_its_versions(run, gateway) -> None:
    # Every version comes with the newest report, which is later than most of them.
    progress = task_pb2.Progress(fraction=0.5, update_time=Timestamp(seconds=400))
    states = (task_pb2.TASK_STATE_PENDING, task_pb2.TASK_STATE_RUNNING, task_pb2.TASK_STATE_SUCCEEDED)
    history = [
        task_pb2.Task(
            id="t",
            version=version,
            state=state,
            done=state == task_pb2.TASK_STATE_SUCCEEDED,
            update_time=Timestamp(seconds=version * 100),
            progress=progress,
        )
        for version, state in enumerate(states, 1)
    ]
    gateway.script("GetTask", tasks_pb.GetTaskResponse(task=history[-1]))
    gateway.script("WatchTask", [tasks_pb.WatchTaskResponse(task=task) for task in history])

    lines = (await run("watch", "t", "--history", "--output", "text")).out.splitlines()

    clocks = [datetime.fromtimestamp(second, UTC).astimezone().strftime("%H:%M:%S.000") for second in (100, 200, 300)]
    assert [line.split() for line in lines] == [
        [clocks[0], "v1", "PENDING"],
        [clocks[1], "v2", "RUNNING", "50%"],
        [clocks[2], "v3", "SUCCEEDED"],
    ]


@pytest.mark.parametrize(
    "options",
    ["t --queue q", "t --type x", "t --state failed", "t --label k=v", "--history", "--history --queue q"],
)
async def test_options_that_would_do_nothing_are_refused(run, gateway, options) -> None:
    with pytest.raises(SystemExit, match="2"):
        await run("watch", *options.split())
    assert gateway.requests == []


async def test_unknown_task_is_an_error(run, gateway, reject) -> None:
    gateway.script("GetTask", reject(grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND"))

    assert (await run("watch", "x")).code == 1


async def test_without_an_id_all_tasks_are_followed(run, gateway, reject, monkeypatch) -> None:
    monkeypatch.setattr(watching, "_BACKOFF_FIRST_SECONDS", 0.001)
    changes = tasks_pb.TaskChanges(tasks=[task_pb2.Task(id="a", version=1), task_pb2.Task(id="b", version=1)])
    gateway.script("ListQueues", queues_pb.ListQueuesResponse())
    gateway.script(
        "WatchTasks",
        [tasks_pb.WatchTasksResponse(changes=changes, resume_token="x"), reject(grpc.StatusCode.UNAVAILABLE)],
        [reject(grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_EXPIRED", message="gone")],
    )

    ran = await run("watch", "--queue", "q")

    assert [line["id"] for line in ran.json_lines()] == ["a", "b"]
    assert (ran.code, ran.err) == (1, "taskwire: RESUME_TOKEN_EXPIRED: gone\n")
    assert gateway.requests[1].selector.queues == ["q"]

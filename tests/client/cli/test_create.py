"""`taskwire create`."""

import asyncio
import io
from argparse import ArgumentTypeError
from datetime import UTC, datetime

import pytest

from taskwire.cli.create import moment
from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as tasks_pb

TASK = task_pb2.Task(id="t", type="greet", state=task_pb2.TASK_STATE_PENDING, version=1)


async def test_every_option_arrives(run, gateway) -> None:
    gateway.script("CreateTask", tasks_pb.CreateTaskResponse(task=TASK))
    options = "--queue q --priority high --expires 2027-01-01T00:00:00Z --max-attempts 2 --timeout 1.5 --key k"

    ran = await run("create", "greet", '{"name": "Ada"}', *options.split(), "--label", "a=b=c", "--label", "d=")
    await run("create", "greet", "--delay", "60")
    await run("create", "greet", "--at", "2027-01-01T00:00:00Z", "--id", "mine")

    assert (ran.code, ran.json_lines()) == (
        0,
        [{"id": "t", "type": "greet", "state": "TASK_STATE_PENDING", "version": "1"}],
    )
    request, delayed, scheduled = gateway.requests
    task = request.task
    assert (task.type, task.queue, task.input.text) == ("greet", "q", '{"name": "Ada"}')
    assert (task.priority, task.retry_policy.max_attempts, request.idempotency_key) == (3, 2, "k")
    assert task.expire_time.ToDatetime(UTC) == datetime(2027, 1, 1, tzinfo=UTC)
    assert dict(task.labels) == {"a": "b=c", "d": ""}
    assert delayed.task.HasField("schedule_time")
    assert (scheduled.task_id, scheduled.task.schedule_time.ToDatetime(UTC)) == (
        "mine",
        datetime(2027, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("options", [("--key", ""), ("--id", ""), ("--delay", "inf"), ("--timeout", "1e15")])
async def test_value_that_cannot_be_meant_is_one_line(run, gateway, options) -> None:
    ran = await run("create", "greet", *options)

    assert (ran.code, ran.err.count("\n"), gateway.requests) == (2, 1, [])
    assert ran.err.startswith("taskwire: ")


@pytest.mark.parametrize(
    "options",
    [("--at", "9999-12-31T23:59:59-12:00"), ("--delay", "1", "--key", "k"), ("--delay", "1", "--id", "mine")],
)
async def test_options_that_cannot_be_meant_are_refused(run, gateway, capsys, options) -> None:
    with pytest.raises(SystemExit, match="2"):
        await run("create", "greet", *options)
    assert "error: " in capsys.readouterr().err.splitlines()[-1]
    assert gateway.requests == []


async def test_input_from_standard_input(run, gateway, monkeypatch) -> None:
    gateway.script("CreateTask", tasks_pb.CreateTaskResponse(task=TASK))
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe"))

    await run("create", "greet", "-")

    assert gateway.requests[0].task.input.text == "from a pipe"


class Terminal:
    """A standard input that is interrupted while it is read."""

    def read(self) -> str:
        # A loop that runs would keep the interruption until the input ends.
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        raise KeyboardInterrupt


async def test_reading_standard_input_can_be_interrupted(run, gateway, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())

    assert (await run("create", "greet", "-")).code == 130
    assert gateway.requests == []


async def test_standard_input_that_is_no_text_is_one_line(run, gateway, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff"), encoding="utf-8"))

    ran = await run("create", "greet", "-")

    assert (ran.code, ran.err.count("\n"), gateway.requests) == (2, 1, [])
    assert "can't decode byte 0xff" in ran.err


async def test_closed_standard_input_is_one_line(run, gateway, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", None)

    ran = await run("create", "greet", "-")

    assert (ran.code, ran.err, gateway.requests) == (
        2,
        "taskwire: standard input is closed: there is no - to read\n",
        [],
    )


async def test_watch_follows_to_the_end(run, gateway) -> None:
    gateway.script("CreateTask", tasks_pb.CreateTaskResponse(task=TASK))
    final = task_pb2.Task(id="t", version=2, done=True, state=task_pb2.TASK_STATE_FAILED)
    gateway.script("WatchTask", [tasks_pb.WatchTaskResponse(task=TASK), tasks_pb.WatchTaskResponse(task=final)])

    ran = await run("create", "greet", "--watch")

    assert ran.code == 3
    assert [line["version"] for line in ran.json_lines()] == ["1", "2"]
    assert gateway.requests[1].after_version == 0


def test_time_names_its_zone() -> None:
    for text in ("2026-01-01T12:00:00", "2026-01-01"):
        with pytest.raises(ArgumentTypeError, match="names no time zone"):
            moment(text)
    assert moment("2026-01-01T10:00:00Z") == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert moment("2026-01-01T12:00:00+02:00") == datetime(2026, 1, 1, 10, tzinfo=UTC)
    with pytest.raises(ArgumentTypeError, match="is not a time"):
        moment("tomorrow")

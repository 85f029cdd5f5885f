"""What goes wrong is one line and an exit code."""

import asyncio
import os
import signal
import sys

import grpc
import pytest

from taskwire.cli import session
from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as tasks_pb


async def test_absent_service_is_one_line(run) -> None:
    ran = await run("get", "x", "--address", "127.0.0.1:1")

    assert ran.code == 1
    assert ran.err.startswith("taskwire: UNAVAILABLE: ")
    assert ran.err.count("\n") == 1


async def test_fault_of_the_service_names_its_log_line(run, gateway, reject) -> None:
    gateway.script("GetTask", reject(grpc.StatusCode.INTERNAL, "INTERNAL", {"log_id": "abc"}, message="sorry\nreally"))

    assert (await run("get", "x")).err == "taskwire: INTERNAL: sorry really (log_id abc)\n"


async def test_input_that_cannot_be_sent_is_a_usage_error(run) -> None:
    ran = await run("create", "x", "\ud800")

    assert ran.code == 2
    assert "surrogates not allowed" in ran.err


async def test_certificate_that_cannot_be_read_is_a_usage_error(run, tmp_path) -> None:
    ran = await run("get", "x", "--ca-file", str(tmp_path / "none.pem"))

    assert ran.code == 2
    assert "none.pem" in ran.err


@pytest.mark.parametrize("error", [KeyboardInterrupt, BrokenPipeError])
def test_interruptions_are_quiet(error, monkeypatch, capfd) -> None:
    async def action(_client, _output) -> int:
        raise error

    code = session.run(session.command_parser("x", None).parse_args([]), action)

    assert code == (session.INTERRUPTED if error is KeyboardInterrupt else session.FAILED)
    assert capfd.readouterr().err == ""


async def _started(gateway) -> asyncio.subprocess.Process:
    environment = os.environ | {"TASKWIRE_ADDRESS": gateway.address}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys; from taskwire.cli.main import main; sys.exit(main())",
        "watch",
        "t",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_interrupt_from_the_keyboard_is_quiet(gateway) -> None:
    task = task_pb2.Task(id="t", version=1)
    gateway.script("GetTask", tasks_pb.GetTaskResponse(task=task))
    gateway.script("WatchTask", [tasks_pb.WatchTaskResponse(task=task), asyncio.Event()])

    process = await _started(gateway)
    assert process.stdout is not None
    async with asyncio.timeout(20):
        await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, complaints = await process.communicate()

    assert (process.returncode, complaints) == (session.INTERRUPTED, b"")

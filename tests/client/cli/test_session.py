"""What goes wrong is one line and an exit code."""

import asyncio
import errno
import io
import os
import signal
import sys

import grpc

from taskwire.cli import main as entry
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


async def test_output_that_cannot_be_written_is_no_usage_error(run, gateway, monkeypatch) -> None:
    gateway.script("GetTask", tasks_pb.GetTaskResponse(task=task_pb2.Task(id="t")))
    monkeypatch.setattr("sys.stdout", _FullDisk())

    ran = await run("get", "t")

    assert (ran.code, ran.err) == (1, "taskwire: [Errno 28] no room\n")


class _FullDisk(io.StringIO):
    """A file that takes no more."""

    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, "no room")


async def test_closed_output_is_no_fault(run, gateway, monkeypatch) -> None:
    gateway.script("GetTask", tasks_pb.GetTaskResponse(task=task_pb2.Task(id="t")))
    monkeypatch.setattr("sys.stdout", None)

    ran = await run("get", "t")

    assert (ran.code, ran.err) == (0, "")


async def test_characters_that_a_terminal_lacks_are_escaped(run, gateway, monkeypatch) -> None:
    gateway.script("GetTask", tasks_pb.GetTaskResponse(task=task_pb2.Task(id="t", type="Ünlü→")))
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="latin-1"))

    ran = await run("get", "t", "--output", "text")

    assert (ran.code, ran.err) == (0, "")
    assert "Ünlü".encode("latin-1") in written.getvalue()
    assert b"\\u2192" in written.getvalue()


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

    assert (process.returncode, complaints) == (entry.INTERRUPTED, b"")

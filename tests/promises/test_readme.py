"""The lines of the README work as printed."""

import asyncio
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from taskwire.client import Client
from taskwire_dev.stack import Stack

_README = Path(__file__).parents[2] / "README.md"
_PRINTED_ADDRESS = "127.0.0.1:50051"
_COMMAND_SECONDS = 30.0
_PLACEHOLDER = re.compile("…[^…]*…|…")


def _commands(program: str) -> list[str]:
    """Return the command lines of the README that call `program`, without the prompt."""
    joined = _README.read_text().replace("\\\n", " ")
    return [line[2:] for line in joined.splitlines() if line.startswith("$ ") and program in line.split()[1]]


async def _run(command: str, address: str, task_id: str, home: Path) -> str:
    line = _PLACEHOLDER.sub(task_id, command.replace(_PRINTED_ADDRESS, address))
    words = shlex.split(line)
    words[0] = _found(Path(words[0]).name) or words[0]
    process = await asyncio.create_subprocess_exec(
        *words,
        env={"TASKWIRE_ADDRESS": address, "PATH": _search_path(), "HOME": str(home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _COMMAND_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, output.decode()
    return output.decode()


def _search_path() -> str:
    return os.environ["PATH"]


def _found(program: str) -> str | None:
    """Return where a program is: what belongs to the tests, as in CI, goes before what is on the path."""
    return shutil.which(program, path=f"{Path(sys.executable).parent}:{_search_path()}")


def test_the_readme_calls_nothing_that_make_start_does_not_install() -> None:
    called = {command.split()[0] for command in _commands(".venv/bin/")}

    assert called == {".venv/bin/taskwire"}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("program", ["grpcurl", "buf", "taskwire"])
async def test_the_lines_of_the_readme_work_as_printed(
    program: str, stack: Stack, connect: Callable[[str], Client], tmp_path: Path
) -> None:
    if program == "grpcurl" and _found(program) is None:
        pytest.skip("grpcurl is not installed")
    address = (await stack.gateway()).ready.grpc
    await stack.processor()
    task = await connect(address).create("sleep", {"seconds": 0.2})

    outputs = [await _run(command, address, task.id, tmp_path) for command in _commands(program)]

    assert outputs
    assert any("TASK_STATE_PENDING" in output for output in outputs), "one of the lines creates a task"
    if program != "buf":
        assert "TASK_STATE_SUCCEEDED" in outputs[-1], "the last line watches a task to its end"

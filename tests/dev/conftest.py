"""The commands as a person starts them: as processes, over a data folder."""

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

SCRIPT = "import sys; from taskwire_dev import command; sys.exit(getattr(command, sys.argv[1])(sys.argv[2:]))"
START_SECONDS = 60
STOP_SECONDS = 15


class Program:
    """A command that runs."""

    def __init__(self, process):
        self.process = process
        self.lines = []

    @property
    def pid(self):
        return self.process.pid

    @property
    def text(self):
        return "\n".join(self.lines)

    async def line_with(self, words):
        async with asyncio.timeout(START_SECONDS):
            while True:
                line = await self.process.stdout.readline()
                if not line:
                    raise AssertionError(f"it ended without {words!r}:\n{self.text}")
                self.lines.append(line.decode().rstrip())
                if words in self.lines[-1]:
                    return self.lines[-1]

    async def ready(self):
        """Wait for the line for programs, and return what it says."""
        words = (await self.line_with("taskwire ready ")).split()
        return dict(word.split("=") for word in words[2:])

    async def end(self):
        async with asyncio.timeout(STOP_SECONDS):
            rest, _ = await self.process.communicate()
        self.lines += (rest or b"").decode().splitlines()
        return self.process.returncode

    async def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return await self.end()

    def tree(self):
        return psutil.Process(self.pid).children(recursive=True)


@pytest.fixture
async def usual_ports():
    """Keep other test processes from starting a `dev` meanwhile: two that look at once find the same ports free."""
    with (Path(tempfile.gettempdir()) / "taskwire-usual-ports.lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
async def run(usual_ports):
    """Give a function that starts `taskwire dev` or `taskwire demo`; whatever still runs at the end is killed."""
    programs = []

    async def start(*arguments, data_dir, before=(), python=sys.executable, environment=None, **options):
        variables = {
            "PATH": os.environ["PATH"],
            "TASKWIRE_DATA_DIR": str(data_dir),
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        }
        process = await asyncio.create_subprocess_exec(
            *before,
            python,
            "-c",
            SCRIPT,
            *arguments,
            env=variables,
            stdin=subprocess.DEVNULL,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options},
        )
        programs.append(Program(process))
        return programs[-1]

    yield start
    for program in programs:
        with contextlib.suppress(ProcessLookupError):
            program.process.kill()
        await program.process.communicate()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Give a data folder that most tests here share, one after the other: making a cluster takes a second."""
    return tmp_path_factory.mktemp("data")


def _is_gone(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="session")
def until_gone():
    """Give a function that waits for the end of processes which nobody here has started."""

    async def wait(*processes, seconds=10):
        async with asyncio.timeout(seconds):
            while not all(map(_is_gone, processes)):
                await asyncio.sleep(0.02)

    return wait

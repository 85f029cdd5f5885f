"""The commands as a person starts them: as processes, over a data folder."""

import asyncio
import contextlib
import fcntl
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

import psutil
import pytest

from taskwire.client import Client
from taskwire_dev.occupants import occupants

pytestmark = pytest.mark.timeout(180)

SCRIPT = "import sys; from taskwire_dev import command; sys.exit(getattr(command, sys.argv[1])(sys.argv[2:]))"
START_SECONDS = 60
STOP_SECONDS = 15
ANOTHER_USER = "1000"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user or mount")


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
async def run():
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


async def wait_until_gone(processes, seconds=10):
    def alive():
        return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]

    async with asyncio.timeout(seconds):
        while alive():
            await asyncio.sleep(0.02)


async def test_it_serves_stops_cleanly_and_keeps_its_data(run, data_dir):
    first = await run("dev", data_dir=data_dir)
    ready = await first.ready()
    assert "PENDING -> RUNNING -> SUCCEEDED" in first.text
    assert f"grpcurl -plaintext {ready['grpc']} list" in first.text
    assert len(ready["metrics"].split(",")) == 2
    tree = first.tree()
    async with Client(ready["grpc"]) as client:
        task = await client.create("echo", "kept")
        assert (await client.wait(task.id)).state.name == "SUCCEEDED"

    assert await first.stop(signal.SIGINT) == 0
    await wait_until_gone(tree, seconds=0.5)
    assert occupants(data_dir) == []

    began = time.monotonic()
    second = await run("dev", data_dir=data_dir)
    ready = await second.ready()
    assert time.monotonic() - began < 10
    async with Client(ready["grpc"]) as client:
        assert (await client.get(task.id)).output.text == "kept"
    assert await second.stop(signal.SIGTERM) == 0


async def test_a_second_one_is_refused_and_the_first_is_stopped_by_command(run, data_dir):
    first = await run("dev", data_dir=data_dir)
    await first.ready()

    second = await run("dev", data_dir=data_dir)
    assert await second.end() == 1
    assert f"runs in {data_dir} already (process {first.pid})" in second.text
    assert "Traceback" not in second.text

    stopping = await run("dev", "--stop", data_dir=data_dir)
    assert await stopping.end() == 0
    assert "has stopped" in stopping.text
    assert await first.end() == 0

    again = await run("dev", "--stop", data_dir=data_dir)
    assert await again.end() == 0
    assert "No Taskwire runs in" in again.text


async def test_killed_it_takes_everything_along_and_the_next_start_recovers(run, data_dir):
    first = await run("dev", data_dir=data_dir)
    ready = await first.ready()
    tree = first.tree()
    async with Client(ready["grpc"]) as client:
        task = await client.create("sleep", {"seconds": 1})

    first.process.kill()
    await wait_until_gone(tree)

    second = await run("dev", data_dir=data_dir, environment={"TASKWIRE_LEASE_SECONDS": "2"})
    ready = await second.ready()
    async with asyncio.timeout(60), Client(ready["grpc"]) as client:
        assert (await client.wait(task.id)).state.name == "SUCCEEDED"
    assert await second.stop() == 0


async def test_a_child_that_dies_is_started_again_with_a_word(run, data_dir):
    program = await run("dev", data_dir=data_dir)
    ready = await program.ready()
    for words, name in [("taskwire_processor", "processor"), ("nats-server", "NATS"), ("bin/postgres", "Postgres")]:
        victim = next(child for child in program.tree() if any(words in part for part in child.cmdline()))
        victim.kill()
        await program.line_with(f"The {name} was killed by SIGKILL")
        await program.line_with(f"The {name} is back.")

    async with asyncio.timeout(60), Client(ready["grpc"]) as client:
        task = await client.create("echo", "after all")
        assert (await client.wait(task.id)).state.name == "SUCCEEDED"
    assert await program.stop() == 0


async def test_usual_ports_that_are_taken_are_replaced(run, data_dir):
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            # Taken already by somebody else is as good.
            thief.bind(("127.0.0.1", 50051))
            thief.listen()
        program = await run("dev", data_dir=data_dir)
        ready = await program.ready()

        assert ready["grpc"] != "127.0.0.1:50051"
        assert f"TASKWIRE_ADDRESS={ready['grpc']}" in program.text
        assert await program.stop() == 0


async def test_a_port_that_was_asked_for_is_not_replaced(run, data_dir):
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", 0))
        thief.listen()
        address = f"127.0.0.1:{thief.getsockname()[1]}"
        program = await run("dev", data_dir=data_dir, environment={"TASKWIRE_LISTEN": address})

        assert await program.end() == 1
        assert f"{address} is taken by another program" in program.text
        assert "Traceback" not in program.text
    assert occupants(data_dir) == []


async def test_nobody_listening_to_its_words_does_not_stop_it(run, data_dir, tmp_path):
    program = await run("dev", data_dir=data_dir, stderr=subprocess.DEVNULL)
    await program.line_with("Taskwire starts in")
    program.process._transport.get_pipe_transport(1).close()
    await asyncio.to_thread(wait_for_text, data_dir / "logs" / "processor.log", "processor ready")

    program.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(STOP_SECONDS):
        assert await program.process.wait() == 0


def wait_for_text(file, words):
    deadline = time.monotonic() + START_SECONDS
    while words not in (file.read_text() if file.exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("how", ["ctrl-c", "hang up"])
async def test_in_a_terminal(run, data_dir, how):
    mine, theirs = pty.openpty()

    def take_terminal():
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    program = await run(
        "dev",
        data_dir=data_dir,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=take_terminal,
    )
    os.close(theirs)
    seen = await asyncio.to_thread(read_until, mine, b"taskwire ready ")
    assert b"SUCCEEDED" in seen
    tree = program.tree()
    if how == "ctrl-c":
        os.write(mine, b"\x03")
        assert b"has stopped" in await asyncio.to_thread(read_until, mine, b"data is kept")
    else:
        os.close(mine)

    async with asyncio.timeout(STOP_SECONDS):
        assert await program.process.wait() == 0
    await wait_until_gone(tree)
    if how == "ctrl-c":
        os.close(mine)


def read_until(descriptor, words):
    seen = b""
    while words not in seen:
        seen += os.read(descriptor, 4096)
    return seen


BECOME = ["setpriv", "--reuid", ANOTHER_USER, "--regid", ANOTHER_USER, "--clear-groups"]


@pytest.fixture(scope="module")
def python_of_others():
    """Find a Python that another user may run, and what it has to be told to see these packages."""
    component_folders = {str(Path(path).resolve()) for path in sys.path if path}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(component_folders - python_folders())}
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/python{version}"):
        # Through a shell: setpriv itself starts programs with capabilities that their children no longer have.
        check = [*BECOME, "sh", "-c", f"{python} -c 'import asyncpg, grpc, taskwire_dev, uvloop'; exit $?"]
        if subprocess.run(check, check=False, capture_output=True, env=environment).returncode == 0:
            return python, environment
    pytest.skip("another user cannot read this clone and its packages")


def python_folders():
    return {str(Path(path).resolve()) for path in sys.path if path.startswith((sys.base_prefix, sys.base_exec_prefix))}


@as_root
async def test_as_an_ordinary_user(run, python_of_others):
    python, environment = python_of_others
    base = Path(tempfile.mkdtemp(prefix="taskwire-user-", dir="/tmp"))
    os.chown(base, int(ANOTHER_USER), int(ANOTHER_USER))
    try:
        program = await run("dev", data_dir=base / "data", before=BECOME, python=python, environment=environment)
        await program.ready()
        assert "PENDING -> RUNNING -> SUCCEEDED" in program.text
        owners = {path.stat().st_uid for path in (base / "data").rglob("*")}
        assert await program.stop() == 0
        assert owners == {int(ANOTHER_USER)}
    finally:
        shutil.rmtree(base)


@as_root
async def test_a_folder_of_root_is_a_clear_message_for_others(run, python_of_others, tmp_path):
    python, environment = python_of_others
    folder = tmp_path / "data"
    program = await run("dev", data_dir=folder, before=BECOME, python=python, environment=environment)

    assert await program.end() == 1
    assert f"The data folder {folder} cannot be used: Permission denied." in program.text
    assert "Traceback" not in program.text


@pytest.fixture
def mounted(tmp_path):
    """Give a function that makes the words before a command which let it see another file system on `tmp_path`."""

    def before(options):
        words = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o {options} none {tmp_path} && exec "$@"', "sh"]
        if subprocess.run([*words, "true"], check=False, capture_output=True).returncode:
            pytest.skip("no right to mount")
        return words

    return before


@as_root
async def test_a_full_disk_is_a_clear_message(run, tmp_path, mounted):
    program = await run("dev", data_dir=tmp_path / "data", before=mounted("size=12m"))

    assert await program.end() == 1
    assert "No space left on device" in program.text
    assert "Traceback" not in program.text


@as_root
async def test_a_read_only_folder_is_a_clear_message(run, tmp_path, mounted):
    program = await run("dev", data_dir=tmp_path, before=mounted("ro"))

    assert await program.end() == 1
    assert f"The data folder {tmp_path} cannot be used: Read-only file system." in program.text


async def test_garbage_in_the_folder_is_a_clear_message(run, tmp_path):
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    (tmp_path / "postgres" / "data" / "PG_VERSION").write_text("garbage")
    program = await run("dev", data_dir=tmp_path)

    assert await program.end() == 1
    assert "Postgres does not start" in program.text
    assert "Traceback" not in program.text


async def test_a_wrong_variable_is_a_clear_message(run, tmp_path):
    program = await run("dev", data_dir=tmp_path, environment={"TASKWIRE_CONCURENCY": "5"})

    assert await program.end() == 1
    assert "TASKWIRE_CONCURENCY: there is no such setting; did you mean TASKWIRE_CONCURRENCY?" in program.text
    assert "Traceback" not in program.text
    assert list(tmp_path.iterdir()) == []


async def test_interrupted_while_it_starts_it_stops(run, tmp_path):
    program = await run("dev", data_dir=tmp_path)
    await program.line_with("Taskwire starts in")

    assert await program.stop() == 0
    assert occupants(tmp_path) == []


async def test_the_demo_accounts_for_every_task(run, tmp_path):
    program = await run("demo", "--tasks", "40", data_dir=tmp_path)
    await program.line_with("40 tasks in ")

    assert await program.end() == 0, program.text
    assert "Every task is accounted for" in program.text
    assert occupants(tmp_path) == []


@pytest.mark.parametrize("count", ["19", "10001", "x"])
async def test_the_demo_takes_a_sensible_number_of_tasks(run, tmp_path, count):
    program = await run("demo", "--tasks", count, data_dir=tmp_path)

    assert await program.end() == 2

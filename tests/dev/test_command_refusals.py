"""What keeps `taskwire dev` and `taskwire demo` from starting, and who may start them."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from taskwire_dev.occupants import occupants

pytestmark = pytest.mark.timeout(180)

ANOTHER_USER = "1000"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user or mount")


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


@pytest.mark.parametrize("count", ["19", "10001", "x"])
async def test_the_demo_takes_a_sensible_number_of_tasks(run, tmp_path, count):
    program = await run("demo", "--tasks", count, data_dir=tmp_path)

    assert await program.end() == 2

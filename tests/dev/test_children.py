import signal
import sys

import psutil
import pytest

from taskwire_dev.children import Command, Stage, describe_end, spawn, until
from taskwire_dev.failure import StartFailed

STUBBORN = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "60"])
print(child.pid, flush=True)
child.wait()
"""


def command(tmp_path, *program):
    return Command(program=program, environment={"PATH": "/usr/bin:/bin"}, folder=tmp_path, log=tmp_path / "log")


async def test_a_child_that_listens_is_stopped_by_the_first_signal(tmp_path):
    child = await spawn(command(tmp_path, "/bin/sleep", "60"))

    assert await child.stop([Stage(signal.SIGTERM, 5)]) == -signal.SIGTERM


async def test_a_stubborn_child_is_killed_with_all_it_has_started(tmp_path, until_gone):
    child = await spawn(command(tmp_path, sys.executable, "-c", STUBBORN))
    await until(lambda: (tmp_path / "log").read_text().endswith("\n"))
    grandchild = psutil.Process(int((tmp_path / "log").read_text()))

    assert await child.stop([Stage(signal.SIGTERM, 0.1)]) == -signal.SIGKILL
    await until_gone(grandchild)


async def test_a_child_has_a_session_of_its_own(tmp_path):
    child = await spawn(command(tmp_path, "/bin/sh", "-c", "ps -o sid= -p $$; echo $$"))
    await child.ended()

    session, process = (tmp_path / "log").read_text().split()
    assert session == process == str(child.pid)


async def test_stopping_what_has_ended_returns_its_exit_code(tmp_path):
    child = await spawn(command(tmp_path, "/bin/sh", "-c", "exit 3"))
    await child.ended()

    assert await child.stop([Stage(signal.SIGTERM, 5)]) == 3


async def test_a_log_that_cannot_be_written_is_a_clear_message(tmp_path):
    with pytest.raises(StartFailed, match="cannot be written: Is a directory"):
        await spawn(Command(program=["/bin/true"], environment={}, folder=tmp_path, log=tmp_path))


async def test_a_program_that_is_missing_says_so_in_the_log(tmp_path):
    child = await spawn(command(tmp_path, "/no/such/program"))

    assert await child.ended() == 127
    assert "cannot run /no/such/program: No such file" in (tmp_path / "log").read_text()


def test_an_end_is_described():
    assert describe_end(None) == "still runs"
    assert describe_end(0) == "ended with exit code 0"
    assert describe_end(-9) == "was killed by SIGKILL"
    assert describe_end(-100) == "was killed by signal 100"

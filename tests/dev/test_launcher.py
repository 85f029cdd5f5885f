import asyncio
import os
import signal
import subprocess
import sys

import psutil
import pytest

from taskwire_dev import launcher
from taskwire_dev.children import until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")

PARENT = """
import os, subprocess, sys
launcher, program = sys.argv[1], sys.argv[2:]
child = subprocess.Popen([sys.executable, "-I", "-S", launcher, str(os.getpid()), "9", "same", *program])
print(child.pid, flush=True)
child.wait()
"""


def launch(identity, *program, parent=None):
    arguments = [str(parent or os.getpid()), str(int(signal.SIGKILL)), identity, *program]
    command = [sys.executable, "-I", "-S", launcher.__file__, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)


def test_it_stays_who_it_is():
    assert launch("same", "/usr/bin/id", "-u").stdout.strip() == str(os.getuid())


@as_root
@pytest.mark.parametrize("identity", ["nobody", "namespace"])
def test_root_becomes_somebody_who_still_reaches_private_folders(identity, tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "file").write_text("reached")

    done = launch(identity, "/bin/sh", "-c", f"id -u; cat {private}/file")

    assert done.stdout.splitlines() == [str(launcher.NOBODY), "reached"], done.stderr


@as_root
def test_nobody_keeps_one_capability():
    status = launch("nobody", "/bin/cat", "/proc/self/status").stdout

    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
    assert int(effective, 16) == 1 << 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may become anybody")
def test_what_cannot_be_become_has_an_exit_code_of_its_own():
    done = launch("nobody", "/bin/true")

    assert done.returncode == launcher.EXIT_CANNOT_BECOME
    assert "cannot become nobody" in done.stderr


def test_it_does_not_start_for_a_parent_that_is_gone():
    assert launch("same", "/bin/true", parent=1).returncode == -signal.SIGKILL


async def test_it_dies_with_its_parent(until_gone):
    program = [sys.executable, "-c", PARENT, launcher.__file__, "/bin/sleep", "60"]
    parent = await asyncio.create_subprocess_exec(*program, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    await until(lambda: child.name() == "sleep")

    parent.kill()
    await parent.wait()

    await until_gone(child)

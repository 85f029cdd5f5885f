import os
import signal
import stat
import subprocess
import sys

import pytest

from taskwire_dev.data_folder import DataFolder
from taskwire_dev.failure import StartFailed

HOLDER = """
import pathlib, signal, sys
from taskwire_dev.data_folder import DataFolder
with DataFolder(pathlib.Path(sys.argv[1])).held():
    print("held", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
"""


@pytest.fixture
def holder(tmp_path):
    command = [sys.executable, "-c", "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {15})" + HOLDER]
    with subprocess.Popen([*command, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_new_folder_is_private(tmp_path):
    with DataFolder(tmp_path / "data").held():
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_folder_that_is_there_keeps_its_rights(tmp_path):
    tmp_path.chmod(0o755)

    with DataFolder(tmp_path).held():
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_second_process_is_refused_and_told_what_to_do(tmp_path, holder):
    with pytest.raises(StartFailed) as caught, DataFolder(tmp_path).held():
        raise AssertionError("not reached")

    assert f"process {holder.pid}" in str(caught.value)
    assert "taskwire dev --stop" in str(caught.value)
    assert "TASKWIRE_DATA_DIR" in str(caught.value)


def test_the_holder_is_stopped(tmp_path, holder):
    assert DataFolder(tmp_path).stop_holder()
    assert holder.wait(5) == 0


DEAF_HOLDER = """
import pathlib, signal, sys
from taskwire_dev.data_folder import DataFolder
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with DataFolder(pathlib.Path(sys.argv[1])).held(stop_seconds=1):
    print("held", flush=True)
    signal.pause()
"""


def test_a_holder_has_the_time_that_it_has_said(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", DEAF_HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(StartFailed, match=rf"\(process {process.pid}\) has not stopped within 1 s"):
            DataFolder(tmp_path).stop_holder()
        process.kill()


def test_nobody_to_stop(tmp_path):
    assert not DataFolder(tmp_path).stop_holder()
    assert not DataFolder(tmp_path / "absent").stop_holder()


def test_a_holder_that_was_killed_leaves_no_lock(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait(5)

    assert not DataFolder(tmp_path).stop_holder()
    with DataFolder(tmp_path).held():
        assert (tmp_path / "dev.pid").read_text().split()[0] == str(os.getpid())


def test_garbage_in_the_pid_file_does_not_matter(tmp_path):
    (tmp_path / "dev.pid").write_text("garbage")

    with DataFolder(tmp_path).held():
        assert (tmp_path / "dev.pid").read_text().split()[0] == str(os.getpid())


def test_a_path_that_is_a_file_is_a_clear_message(tmp_path):
    (tmp_path / "file").write_text("")

    with (
        pytest.raises(StartFailed, match=r"The data folder .*file cannot be used: "),
        DataFolder(tmp_path / "file").held(),
    ):
        raise AssertionError("not reached")

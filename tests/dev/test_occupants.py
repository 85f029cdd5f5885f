import os
import signal
import subprocess

from taskwire_dev.occupants import evict, occupants


def test_those_who_work_in_a_folder_are_found(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    with subprocess.Popen(["sleep", "60"], cwd=inner) as process:
        assert [found.pid for found in occupants(tmp_path)] == [process.pid]
        assert occupants(tmp_path / "other") == []
        process.kill()


def test_they_are_evicted(tmp_path):
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as process:
        assert evict(tmp_path, patience_seconds=5) == []
        assert process.wait(5) == -signal.SIGTERM


def test_those_who_do_not_go_are_killed(tmp_path):
    script = f"trap '' TERM; touch {tmp_path}/ready; while :; do sleep 0.05; done"
    with subprocess.Popen(["sh", "-c", script], cwd=tmp_path) as process:
        while not (tmp_path / "ready").exists():
            os.sched_yield()
        assert evict(tmp_path, patience_seconds=0.3) == []
        assert process.wait(5) == -signal.SIGKILL


def test_an_empty_folder_is_left_alone(tmp_path):
    assert evict(tmp_path / "absent", patience_seconds=5) == []

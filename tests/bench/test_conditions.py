"""Whether a machine was quiet is seen by what its cores and its disk do."""

import platform
import sysconfig
import threading

import pytest
from msgspec import structs
from taskwire_bench import conditions
from taskwire_bench.disk import STALL_MS, Look


def test_a_machine_is_quiet_when_next_to_nothing_runs(make_result) -> None:
    result = make_result(scenario="x").conditions
    assert structs.replace(result, busy_cores_before=0.1).was_quiet
    assert not structs.replace(result, busy_cores_before=0.5).was_quiet


def test_what_was_wrong_with_the_machine_is_said(make_result) -> None:
    quiet = make_result(scenario="x").conditions
    stalling = Look(p50_ms=0.3, slowest_ms=100)

    spoilt = structs.replace(quiet, busy_cores_before=0.5, disk_before=stalling)

    assert quiet.reservations == []
    assert structs.replace(quiet, disk_before=Look(p50_ms=0.3, slowest_ms=STALL_MS)).reservations == []
    assert spoilt.reservations == [
        "0.5 cores were busy before the start",
        "the disk took up to 100 ms for 4 KiB before the start",
    ]


def test_what_runs_just_before_is_seen() -> None:
    done = threading.Event()

    def burn() -> None:
        while not done.is_set():
            sum(range(1_000))

    thread = threading.Thread(target=burn)
    thread.start()
    try:
        found = conditions.observe(disk_seconds=0.05)
    finally:
        done.set()
        thread.join()

    assert not found.was_quiet
    assert found.busy_cores_before <= found.cores


@pytest.mark.parametrize(
    ("options", "build"),
    [("'--enable-shared' '--enable-optimizations'", "with"), ("'--enable-shared'", "without"), (None, "without")],
)
def test_the_interpreter_is_named_with_its_build(
    monkeypatch: pytest.MonkeyPatch, options: str | None, build: str
) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", {"CONFIG_ARGS": options}.get)

    assert (
        conditions.observe(disk_seconds=0.05).python
        == f"{platform.python_version()}, configured {build} --enable-optimizations"
    )

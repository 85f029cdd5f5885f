"""Whether a machine was quiet is seen by what its cores do."""

import re
import threading

from msgspec import structs
from taskwire_bench import conditions


def test_a_machine_is_quiet_when_next_to_nothing_runs(make_result) -> None:
    result = make_result(scenario="x").conditions
    assert structs.replace(result, busy_cores_before=0.1).was_quiet
    assert not structs.replace(result, busy_cores_before=0.5).was_quiet


def test_what_runs_just_before_is_seen() -> None:
    done = threading.Event()

    def burn() -> None:
        while not done.is_set():
            sum(range(1_000))

    thread = threading.Thread(target=burn)
    thread.start()
    try:
        found = conditions.observe()
    finally:
        done.set()
        thread.join()

    assert not found.was_quiet
    assert found.busy_cores_before <= found.cores


def test_the_interpreter_is_named_with_its_build() -> None:
    assert re.fullmatch(r"3\.\d+\.\w+, configured with(out)? --enable-optimizations", conditions.observe().python)

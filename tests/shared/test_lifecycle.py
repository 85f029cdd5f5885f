"""A process stops when it is told to, gives the signals back, and looks for garbage seldom."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.lifecycle import run, run_through, stop_event_on_signals, told

PROGRAM = """
import gc
from taskwire_shared.lifecycle import spare_the_collector, told
spare_the_collector(20_000)
looks = []
gc.callbacks.append(lambda phase, info: looks.append(info["generation"]))
kept = [[] for _ in range(19_000)]
few = list(looks)
more = [[] for _ in range(19_000)]
print(gc.get_freeze_count() > 1000, few, len(looks) > 0)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signal_sets_the_event_and_is_given_back(number) -> None:
    before = signal.getsignal(number)

    with stop_event_on_signals() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        async with asyncio.timeout(5):
            await stop.wait()

    assert signal.getsignal(number) is before


def test_run_gives_the_result_and_lets_exceptions_out() -> None:
    async def answer() -> int:
        return 42

    async def fail() -> None:
        raise LookupError("no")

    assert run(answer()) == 42
    with pytest.raises(LookupError):
        run(fail())


def test_run_through_goes_on_whatever_others_raise() -> None:
    async def leave() -> None:
        sys.exit(3)

    async def main() -> int:
        loop = asyncio.get_running_loop()
        left = loop.create_task(leave())
        await asyncio.wait((left,))
        assert isinstance(left.exception(), SystemExit)
        loop.stop()
        await asyncio.sleep(0)
        loop.call_soon(sys.exit, 4)
        await asyncio.sleep(0)
        return 42

    assert run_through(main()) == 42
    with pytest.raises(SystemExit):
        run_through(leave())


def test_run_uses_uvloop_where_it_is() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    assert isinstance(run(loop()), uvloop.Loop)


def test_collector_looks_seldom_but_looks():
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=50, check=True)

    assert said.stdout == "True [] True\n"


def test_what_ends_a_process_is_told_with_its_reason() -> None:
    assert told(ValueError("no tables")) == "ValueError: no tables"
    outage = BackendUnavailable()
    outage.__cause__ = OSError("refused")
    assert told(outage) == f"BackendUnavailable: {outage} (refused)"

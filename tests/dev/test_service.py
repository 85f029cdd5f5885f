import signal
import sys

import psutil
import pytest

from taskwire_dev import service as service_module
from taskwire_dev.children import until
from taskwire_dev.failure import StartFailed
from taskwire_dev.service import Service

SERVES = """
import os, signal, time
print("a line of a handler")
print("taskwire gateway ready grpc=127.0.0.1:1 metrics=127.0.0.1:2 later=x", flush=True)
signal.sigwait({signal.SIGTERM})
"""
FAILS = "import sys; sys.exit('1 setting is not valid')"
HANGS = "import time; time.sleep(60)"


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Give a function that makes a service out of a script."""

    def make_service(script, **given):
        module = tmp_path / "stand_in.py"
        module.write_text("import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {15})\n" + script)
        monkeypatch.setitem(service_module.MODULES, "gateway", "stand_in")
        environment = {"PYTHONPATH": str(tmp_path)}
        return Service("gateway", "gateway", environment=environment, log=tmp_path / "gateway.log", grace=1, **given)

    return make_service


async def test_it_is_ready_when_it_says_so(make):
    service = make(SERVES)

    ready = await service.start()

    assert (ready.grpc, ready.metrics) == ("127.0.0.1:1", "127.0.0.1:2")
    assert service.is_running
    assert await service.stop() == 0
    assert not service.is_running


async def test_what_it_said_the_last_time_does_not_count(make, monkeypatch):
    service = make(SERVES)
    await service.start()
    await service.kill()
    first = service.child.pid

    await service.restart()

    assert service.child.pid != first
    await service.stop()


async def test_it_can_be_frozen(make):
    service = make(SERVES)
    await service.start()

    service.freeze()
    await until(lambda: psutil.Process(service.child.pid).status() == psutil.STATUS_STOPPED)
    service.thaw()

    assert await service.stop() == 0


async def test_one_that_ends_too_early_is_a_clear_message(make):
    with pytest.raises(StartFailed, match=r"(?s)The gateway ended with exit code 1 before.*1 setting is not valid"):
        await make(FAILS).start()


async def test_one_that_is_never_ready_is_ended(make, monkeypatch):
    monkeypatch.setattr(service_module, "_START_SECONDS", 0.3)
    service = make(HANGS)

    with pytest.raises(StartFailed, match="is not ready after"):
        await service.start()

    assert service.child.exit_code == -signal.SIGKILL


async def test_stopping_what_was_never_started_does_nothing(make):
    assert await make(SERVES).stop() is None


async def test_a_large_log_is_moved_aside(make, monkeypatch):
    monkeypatch.setattr(service_module, "LOG_BYTES_MAX", 10)
    service = make(SERVES)
    service.log.write_text("x" * 11)

    await service.start()
    await service.stop()

    assert service.log.with_name("gateway.log.1").read_text() == "x" * 11
    assert "ready" in service.log.read_text()


async def test_it_is_run_by_this_python(make):
    service = make("import sys; print(sys.executable)\n" + SERVES)
    await service.start()
    await service.stop()

    assert service.log.read_text().splitlines()[0] == sys.executable


PICKY = """
import os, sys
if os.environ.get("PLACE") != "3":
    sys.exit("taken")
"""


async def test_it_moves_until_it_finds_a_place(make):
    places = iter("23")
    service = make(PICKY + SERVES, move=lambda environment, why: {"PLACE": next(places)})

    await service.start()

    assert service.environment["PLACE"] == "3"
    await service.stop()


async def test_it_does_not_move_once_others_know_where_it_is(make, tmp_path):
    service = make(SERVES, move=lambda environment, why: {"PLACE": "elsewhere"})
    await service.start()
    await service.stop()
    (tmp_path / "stand_in.py").write_text(FAILS)

    with pytest.raises(StartFailed):
        await service.start()

    assert "PLACE" not in service.environment

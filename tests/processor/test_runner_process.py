"""A runner as control sees it: how it starts, and how its end is noticed."""

import asyncio
import os
import signal
import time
from datetime import UTC, datetime

import msgspec
import psutil
import pytest

from taskwire_processor.runner import wire
from taskwire_processor.runner_process import HandlersUnloadable, RunnerFailed, RunnerProcess

MOMENT = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def start_message(type: str, key: int = 1, data: object = None) -> wire.Start:
    """Make the message that starts an attempt."""
    return wire.Start(
        key,
        "01a2009a-ce3c-7a87-900b-10f6230df178",
        1,
        1,
        "default",
        type,
        MOMENT,
        MOMENT,
        None if data is None else msgspec.json.encode(data),
        is_text=True,
        content_type="",
    )


class _Control:
    def __init__(self) -> None:
        self.said: asyncio.Queue[wire.FromRunner] = asyncio.Queue()

    def hear(self, runner, messages) -> None:
        for message in messages:
            self.said.put_nowait(message)

    async def hears(self) -> wire.FromRunner:
        return await asyncio.wait_for(self.said.get(), 10)


def _setup(*modules: str) -> wire.Setup:
    return wire.Setup(modules, 2, "info", "")


@pytest.fixture
async def control():
    return _Control()


@pytest.fixture
async def runner(control):
    made, _ = await RunnerProcess.start(_setup("sample_handlers"), control.hear)
    yield made
    made.kill()
    await made.ended()


async def test_runner_says_what_it_can_run(control):
    runner, offers = await RunnerProcess.start(_setup("taskwire_processor.shipped"), control.hear)
    runner.close()
    exit_code = await asyncio.wait_for(runner.ended(), 10)

    assert {(offer.type, offer.alone) for offer in offers} == {
        ("echo", False),
        ("flaky", False),
        ("sleep", False),
        ("crunch", True),
    }
    assert exit_code == 0


@pytest.mark.parametrize(
    ("module", "words"),
    [("no_such_module", "No module named"), ("json", "has no handlers"), ("broken_handlers", "ZeroDivisionError")],
)
async def test_modules_that_cannot_be_loaded(control, module, words):
    with pytest.raises(HandlersUnloadable, match=words):
        await RunnerProcess.start(_setup(module), control.hear)


async def test_a_start_that_is_given_up_leaves_no_process(control, monkeypatch):
    loop, is_started = asyncio.get_running_loop(), asyncio.Event()

    async def never_connected(protocol, *, sock):
        with sock:
            is_started.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(loop, "create_unix_connection", never_connected)
    starting = asyncio.create_task(RunnerProcess.start(_setup("sample_handlers"), control.hear))
    await asyncio.wait_for(is_started.wait(), 10)
    [process] = [child for child in psutil.Process().children() if "taskwire_processor.runner" in child.cmdline()]
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(starting, 10)

    assert not process.is_running()


async def test_runner_that_ends_while_it_loads(control):
    with pytest.raises(RunnerFailed, match="ended before"):
        await RunnerProcess.start(_setup("leaving_handlers"), control.hear)


@pytest.mark.parametrize(("type", "exit_code"), [("exit", 7), ("kill", -signal.SIGKILL)])
async def test_end_is_noticed_at_once(control, runner, type, exit_code):
    began = time.monotonic()
    runner.send(start_message(type))
    ended = await asyncio.wait_for(runner.ended(), 10)

    assert ended == exit_code
    assert time.monotonic() - began < 2
    assert not runner.was_killed


async def test_what_was_said_before_the_end_is_heard(control, runner):
    for key in range(100):
        runner.send(start_message("pid", key=key))
    runner.send(start_message("exit", key=100))
    await asyncio.wait_for(runner.ended(), 10)
    heard = [control.said.get_nowait() for _ in range(control.said.qsize())]

    assert all(isinstance(message, wire.Returned) for message in heard)


async def test_signals_for_the_whole_group_end_no_handler(control, runner):
    os.kill(runner.pid, signal.SIGINT)
    os.kill(runner.pid, signal.SIGTERM)
    runner.send(start_message("pid"))

    assert isinstance(await control.hears(), wire.Returned)


async def test_killing_ends_what_a_handler_has_started(control, runner, meeting, eventually):
    runner.send(start_message("spawn", data=meeting.place()))
    await meeting.sees("started-1")
    children = psutil.Process(runner.pid).children(recursive=True)
    runner.kill()
    await asyncio.wait_for(runner.ended(), 10)
    await eventually(lambda: not any(child.is_running() and child.status() != "zombie" for child in children))

    assert len(children) == 1
    assert runner.was_killed


async def test_runner_that_writes_nonsense_is_ended(control, runner):
    runner.send(start_message("scribble"))
    exit_code = await asyncio.wait_for(runner.ended(), 10)

    assert exit_code != 0
    assert not runner.was_killed


async def test_runner_with_work_in_hand_ends_with_the_connection(control, runner, meeting):
    runner.send(start_message("thread", data=meeting.place()))
    await meeting.sees("started-1")
    runner.close()

    assert await asyncio.wait_for(runner.ended(), 10) != 0

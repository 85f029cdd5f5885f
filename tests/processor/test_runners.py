"""Which runner runs what, and what happens when one is gone."""

import asyncio
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from taskwire_processor.held import Held
from taskwire_processor.runner import wire
from taskwire_processor.runner_process import HandlersUnloadable, RunnerFailed, RunnerProcess
from taskwire_processor.runners import Runners
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.task import ClaimedTask, Payload, RetryPolicy
from taskwire_shared.telemetry.metrics import ProcessorMetrics

MOMENT = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


class _Listener:
    def __init__(self) -> None:
        self.said: asyncio.Queue[wire.Ended] = asyncio.Queue()
        self.deaths: asyncio.Queue[tuple[list[Held], int]] = asyncio.Queue()

    def heard(self, runner, messages) -> None:
        for message in messages:
            runner.held.pop(message.key, None)
            self.said.put_nowait(message)

    def died(self, runner, exit_code) -> None:
        self.deaths.put_nowait((list(runner.held.values()), exit_code))

    async def pids(self, count: int) -> list[int]:
        return [int((await asyncio.wait_for(self.said.get(), 10)).output) for _ in range(count)]


def _held(type: str, key: int = 0, *, runs_alone: bool = False, data: bytes | None = None) -> Held:
    task = ClaimedTask(
        id=new_id(),
        attempt=1,
        excused=0,
        queue="default",
        type=type,
        input=None if data is None else Payload(data, is_text=True),
        retry_policy=RetryPolicy(),
        created_at=MOMENT,
        started_at=MOMENT,
        runs_alone=runs_alone,
    )
    return Held.of(key, task, 0.0)


@pytest.fixture
async def listener():
    return _Listener()


def _runners(listener, *, shared: int = 1, alone_max: int = 2, module: str = "sample_handlers") -> Runners:
    setup = wire.Setup((module,), 4, "info", "")
    return Runners(setup, listener, ProcessorMetrics(CollectorRegistry()), shared=shared, alone_max=alone_max)


async def test_work_is_spread_over_shared_runners(listener, eventually):
    async with _runners(listener, shared=2) as runners:
        await eventually(lambda: runners.count == 2)
        for key in range(10):
            runners.run([_held("pid", key)])
        pids = await listener.pids(10)

    assert sorted(pids.count(pid) for pid in set(pids)) == [5, 5]


async def test_an_input_is_kept_until_a_runner_has_it(listener, meeting):
    async with _runners(listener, alone_max=1) as runners:
        given = _held("coroutine", 1, data=msgspec.json.encode(meeting.place()))
        waiting = _held("pid_alone", 2, data=b"{}")
        runners.run([given])
        runners.run([waiting])
        assert (given.task.input, waiting.task.input) == (None, Payload(b"{}", is_text=True))
        await listener.pids(1)

    assert waiting.task.input is None


async def test_what_a_task_of_a_handler_raises_ends_nobody_else(listener, meeting):
    async with _runners(listener) as runners:
        beside = _held("coroutine", 1, data=msgspec.json.encode(meeting.place()))
        runners.run([beside])
        await meeting.sees("started-1")
        runners.run([_held("exit_in_task", 2)])
        raised = await asyncio.wait_for(listener.said.get(), 10)
        meeting.say("go")
        returned = await asyncio.wait_for(listener.said.get(), 10)

    assert (raised.key, raised.metadata) == (2, {"type": "builtins.SystemExit"})
    assert (returned.key, returned.output) == (1, b"attempt 1")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("type", ["fork", "fork_in_thread"])
async def test_a_copy_of_a_runner_answers_for_nothing(listener, type):
    async with _runners(listener) as runners:
        for key in range(3):
            runners.run([_held(type, key)])
        ended = [await asyncio.wait_for(listener.said.get(), 10) for _ in range(3)]

    assert [(one.key, one.output) for one in sorted(ended, key=lambda one: one.key)] == [(n, b"1") for n in range(3)]


async def test_what_a_runner_had_started_ends_with_it(listener, meeting, eventually):
    def is_alive(pid: str) -> bool:
        try:
            # What is dead stays a zombie until somebody asks for it.
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False

    async with _runners(listener) as runners:
        runners.run([_held("leave_behind", 1, data=msgspec.json.encode(meeting.place()))])
        await asyncio.wait_for(listener.deaths.get(), 10)
        left = (meeting.folder / "left").read_text()
        await eventually(lambda: not is_alive(left))


async def test_what_runs_alone_has_a_process_to_itself_up_to_a_limit(listener):
    async with _runners(listener) as runners:
        runners.run([_held("pid")])
        (shared,) = await listener.pids(1)
        for key in range(6):
            runners.run([_held("pid_alone", key)])
        assert runners.alone_free == 0
        pids = set(await listener.pids(6))
        runners.run([_held("pid", runs_alone=True)])
        pids |= set(await listener.pids(1))
        assert runners.alone_free == 2

    assert shared not in pids
    assert 1 <= len(pids) <= 2


async def test_dead_runner_is_replaced(listener, eventually):
    async with _runners(listener) as runners:
        victim, culprit = _held("coroutine", 1, data=b"{}"), _held("exit", 2)
        runners.run([victim])
        runners.run([culprit])
        held, exit_code = await asyncio.wait_for(listener.deaths.get(), 10)
        waiting = _held("pid", 3)
        runners.run([waiting])
        assert waiting.runner is None
        runners.withdraw(waiting)
        await eventually(lambda: runners.is_ready)
        runners.run([_held("pid", 4)])
        while not isinstance(await asyncio.wait_for(listener.said.get(), 10), wire.Returned):
            pass

    assert exit_code == 7
    assert culprit in held


async def test_a_runner_that_is_cut_off_is_handed_nothing_more_though_it_lives(listener, eventually):
    async with _runners(listener) as runners:
        first, waiting = _held("pid", 1), _held("pid", 2)
        runners.run([first])
        (pid,) = await listener.pids(1)
        # It would end by itself when it sees that.
        os.kill(pid, signal.SIGSTOP)
        first.runner._link.abort()
        await eventually(lambda: not runners.is_ready)
        runners.run([waiting])
        assert (waiting.runner, listener.deaths.qsize()) == (None, 0)
        await asyncio.wait_for(listener.deaths.get(), 10)
        assert await listener.pids(1) != [pid]


async def test_killing_a_runner_is_told_as_a_death(listener):
    async with _runners(listener) as runners:
        held = _held("hold_gil", 1, data=b'{"seconds": 60, "folder": "/tmp"}')
        runners.run([held])
        runners.kill_all()
        lost, exit_code = await asyncio.wait_for(listener.deaths.get(), 10)

    assert (lost, exit_code) == ([held], -9)
    assert held.runner.was_killed


async def test_handlers_that_cannot_be_loaded_end_the_start(listener):
    with pytest.raises(HandlersUnloadable):
        async with _runners(listener, module="broken_handlers"):
            pass


async def test_runners_that_cannot_be_replaced_end_the_processor(listener, monkeypatch):
    monkeypatch.setattr("taskwire_processor.runners.RESTART_PAUSE_SECONDS", 0.01)

    async def fail(*_args):
        raise RunnerFailed("on purpose")

    with pytest.raises(ExceptionGroup) as raised:
        async with asyncio.timeout(20), _runners(listener) as runners:
            monkeypatch.setattr(RunnerProcess, "start", fail)
            runners.run([_held("exit")])
            await asyncio.Event().wait()

    assert raised.group_contains(RunnerFailed, match="on purpose")

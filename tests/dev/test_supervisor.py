import asyncio
import signal

import pytest

from taskwire_dev import supervisor as supervisor_module
from taskwire_dev.children import Command, Stage, spawn
from taskwire_dev.failure import StartFailed
from taskwire_dev.supervisor import Supervisor


class Sleeper:
    """A member that does nothing, for a while."""

    def __init__(self, folder, name, journal, seconds="60"):
        self.name = name
        self._folder = folder
        self._journal = journal
        self._seconds = seconds

    async def start(self):
        self._journal.append(f"start {self.name}")
        program = ["/bin/sleep", self._seconds]
        self.child = await spawn(
            Command(program=program, environment={}, folder=self._folder, log=self._folder / self.name)
        )

    async def stop(self):
        self._journal.append(f"stop {self.name}")
        await self.child.stop([Stage(signal.SIGTERM, 5)])


@pytest.fixture
def journal():
    return []


@pytest.fixture
def said():
    return asyncio.Queue()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(supervisor_module, "_RESTART_PAUSE_SECONDS", 0)


async def test_members_are_stopped_in_the_opposite_order(tmp_path, journal, said):
    async with Supervisor.open(said.put_nowait) as supervisor:
        await supervisor.start(Sleeper(tmp_path, "postgres", journal), Sleeper(tmp_path, "nats", journal))
        await supervisor.start(Sleeper(tmp_path, "gateway", journal))

    assert journal == ["start postgres", "start nats", "start gateway", "stop gateway", "stop nats", "stop postgres"]
    assert said.empty()


async def test_a_member_that_dies_is_started_again_with_a_word(tmp_path, journal, said):
    member = Sleeper(tmp_path, "gateway", journal)
    async with asyncio.timeout(10), Supervisor.open(said.put_nowait) as supervisor:
        await supervisor.start(member)
        first = member.child.pid
        member.child.send(signal.SIGKILL)

        assert await said.get() == "The gateway was killed by SIGKILL. It is started again."
        assert await said.get() == "The gateway is back."
        assert member.child.pid != first


async def test_a_member_that_keeps_dying_takes_the_others_down(tmp_path, journal, said):
    async def work():
        async with asyncio.timeout(10), Supervisor.open(said.put_nowait) as supervisor:
            await supervisor.start(Sleeper(tmp_path, "postgres", journal))
            await supervisor.start(Sleeper(tmp_path, "gateway", journal, seconds="0"))
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await work()

    assert caught.value.subgroup(StartFailed)
    assert "The gateway ended with exit code 0, for the 5th time" in str(caught.value.exceptions[0])
    assert journal.count("start gateway") == 5
    assert journal[-1] == "stop postgres"


async def test_those_that_were_started_are_stopped_when_another_does_not_start(tmp_path, journal, said):
    class Broken(Sleeper):
        async def start(self):
            raise StartFailed("no")

        async def stop(self):
            raise RuntimeError("nor stop")

    async def work():
        async with Supervisor.open(said.put_nowait) as supervisor:
            await supervisor.start(Sleeper(tmp_path, "postgres", journal))
            await supervisor.start(Broken(tmp_path, "gateway", journal))

    with pytest.raises(ExceptionGroup):
        await work()

    assert "stop postgres" in journal


async def test_all_are_stopped_when_the_work_is_cancelled(tmp_path, journal, said):
    started = asyncio.Event()

    async def work():
        async with Supervisor.open(said.put_nowait) as supervisor:
            await supervisor.start(Sleeper(tmp_path, "postgres", journal))
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert journal == ["start postgres", "stop postgres"]

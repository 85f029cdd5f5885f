"""Outcomes are stored once, whatever the database does."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from taskwire_processor.completer import Completer
from taskwire_processor.held import Held
from taskwire_shared.bus.bells import Bell
from taskwire_shared.bus.rings import Ringer
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import Failed, HandedBack, Succeeded
from taskwire_shared.domain.ready import Ready
from taskwire_shared.domain.task import Failure, Payload, TaskPriority, TaskState
from taskwire_shared.store import claims, completions, processors, reaps
from taskwire_shared.store.processors import Processor
from taskwire_shared.telemetry.metrics import ProcessorMetrics

S = TaskState


class _Desk:
    """A completer with claimed tasks."""

    def __init__(self, db, bus, tasks) -> None:
        self.id = new_id()
        self.db = db
        self.tasks = tasks
        self.metrics = ProcessorMetrics(CollectorRegistry())
        self.completer = Completer(db, self.id, bell=Bell(bus), ringer=Ringer(bus), metrics=self.metrics)

    async def register(self) -> None:
        about = Processor(id=self.id, queues=None, types=["echo"], concurrency=10, host="here")
        await processors.register(self.db, about, 30)

    async def claim(self, count: int) -> list[Held]:
        ids = await self.tasks.create_many("echo", count)
        claimed = await claims.claim_rung(self.db, self.id, ids, ["echo"], count)
        return [Held.of(key, task, 0.0) for key, task in enumerate(claimed)]

    async def stored(self) -> None:
        await asyncio.wait_for(self.completer.emptied(), 10)


@pytest.fixture
async def desk(db, bus, tasks):
    made = _Desk(db, bus, tasks)
    await made.register()
    running = asyncio.create_task(made.completer.run())
    yield made
    running.cancel()
    await asyncio.wait((running,))


async def test_outcomes_are_stored_and_counted(desk, tasks):
    good, bad, back = await desk.claim(3)
    desk.completer.add(Succeeded(good.fence, Payload(b"x")), good)
    desk.completer.add(Failed(bad.fence, Failure("WHY"), final_failure=Failure("WHY")), bad)
    desk.completer.add(HandedBack(back.fence), back)
    await desk.stored()

    states = [(await tasks.get(held.task.id)).state for held in (good, bad, back)]
    assert states == [S.SUCCEEDED, S.FAILED, S.PENDING]
    assert desk.metrics.task_processing_success._value.get() == 1
    assert desk.metrics.task_processing_failure._value.get() == 1
    assert desk.metrics.handed_back._value.get() == 1


@pytest.mark.parametrize("name", ["succeed", "settle"])
@pytest.mark.parametrize("is_committed", [True, False])
async def test_p4_commit_without_an_answer_is_looked_up(desk, tasks, monkeypatch, name, is_committed):
    (held,) = await desk.claim(1)
    original = getattr(completions, name)
    calls = []

    async def lose_the_answer(*args):
        calls.append(args)
        if len(calls) > 1:
            return await original(*args)
        if is_committed:
            await original(*args)
        raise BackendUnavailable

    monkeypatch.setattr(completions, name, lose_the_answer)
    outcome = Succeeded(held.fence, None) if name == "succeed" else HandedBack(held.fence)
    desk.completer.add(outcome, held)
    await desk.stored()
    task = await tasks.get(held.task.id)

    assert (task.state, task.version) == (S.SUCCEEDED if name == "succeed" else S.PENDING, 3)
    assert len(calls) == (1 if is_committed else 2)
    assert desk.metrics.refused._value.get() == 0


async def test_what_was_handed_back_without_an_answer_is_rung(desk, tasks, monkeypatch):
    (held,) = await desk.claim(1)
    rung: list[Ready] = []
    monkeypatch.setattr(Ringer, "ring", lambda _, ready: rung.extend(ready))
    original, calls = completions.settle, []

    async def lose_the_answer(*args):
        settled = await original(*args)
        calls.append(args)
        if len(calls) == 1:
            raise BackendUnavailable
        return settled

    monkeypatch.setattr(completions, "settle", lose_the_answer)
    desk.completer.add(HandedBack(held.fence), held)
    await desk.stored()

    assert rung == [Ready(held.task.id, "default", TaskPriority.NORMAL)]


async def test_what_the_sweeper_took_back_in_an_outage_is_no_success(desk, tasks, monkeypatch, db):
    (held,) = await desk.claim(1)
    await db.execute("UPDATE processors SET lease_until = clock_timestamp()")
    await reaps.take_back(db, 10)
    original, calls = completions.succeed, []

    async def fail_once(*args):
        calls.append(args)
        if len(calls) == 1:
            raise BackendUnavailable
        return await original(*args)

    monkeypatch.setattr(completions, "succeed", fail_once)
    desk.completer.add(Succeeded(held.fence, None), held)
    await desk.stored()

    assert (await tasks.get(held.task.id)).state is S.PENDING
    assert (desk.metrics.task_processing_success._value.get(), desk.metrics.refused._value.get()) == (0, 1)


async def test_p4_outcome_of_another_attempt_is_refused(desk, tasks, db):
    (held,) = await desk.claim(1)
    await db.execute("UPDATE tasks SET attempt = attempt + 1 WHERE id = $1", held.task.id)
    desk.completer.add(Succeeded(held.fence, None), held)
    await desk.stored()

    assert (await tasks.get(held.task.id)).state is S.RUNNING
    assert desk.metrics.refused._value.get() == 1


async def test_outcome_that_cannot_be_stored_takes_nothing_else_down(desk, tasks):
    good, bad, other = await desk.claim(3)
    desk.completer.add(Succeeded(good.fence, Payload(b"x")), good)
    # No text of Postgres holds a NUL.
    desk.completer.add(Succeeded(bad.fence, Payload(b"x", content_type="\0")), bad)
    desk.completer.add(Succeeded(other.fence, None), other)
    await desk.stored()

    assert (await tasks.get(good.task.id)).state is S.SUCCEEDED
    assert (await tasks.get(other.task.id)).state is S.SUCCEEDED
    task = await tasks.get(bad.task.id)
    assert (task.state, task.failure.reason) == (S.FAILED, "OUTCOME_UNSTORABLE")


async def test_a_task_that_is_handed_back_is_rung_with_its_own_priority(desk, tasks, db, monkeypatch):
    ids = await tasks.create_many("echo", 1, ring=False)
    rung = []
    monkeypatch.setattr(Ringer, "ring", lambda _, ready: rung.extend(ready))
    await db.execute("UPDATE tasks SET priority = 3 WHERE id = $1", ids[0])
    (task,) = await claims.claim_rung(db, desk.id, ids, ["echo"], 1)
    held = Held.of(0, task, 0.0)
    desk.completer.add(HandedBack(held.fence), held)
    await desk.stored()

    assert rung == [Ready(task.id, task.queue, TaskPriority.HIGH)]


async def test_unstored_outcomes_are_known(desk, monkeypatch):
    (held,) = await desk.claim(1)
    go_on = asyncio.Event()
    original = completions.succeed

    async def wait(*args):
        await go_on.wait()
        return await original(*args)

    monkeypatch.setattr(completions, "succeed", wait)
    desk.completer.add(Succeeded(held.fence, None), held)
    before = desk.completer.unstored()
    go_on.set()
    await desk.stored()

    assert (before, desk.completer.unstored()) == ({held.fence}, set())

"""Processors to run tasks on, in the process of the test and in processes of their own."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest

from taskwire_dev.service import Service
from taskwire_processor.app import serve
from taskwire_processor.attempts import Attempts
from taskwire_processor.canceller import Canceller
from taskwire_processor.runner import wire
from taskwire_processor.slots import Slots
from taskwire_processor.stopper import Stopper
from taskwire_processor.verdict import Judge
from taskwire_shared.bus.bells import QueueNews
from taskwire_shared.bus.connection import Bus
from taskwire_shared.bus.notices import CancelNotices
from taskwire_shared.bus.rings import Ringer
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import Fence
from taskwire_shared.domain.ready import Ready
from taskwire_shared.domain.task import ClaimedTask, NewTask, Payload, RetryPolicy, Task, TaskPriority, TaskState
from taskwire_shared.settings import Settings
from taskwire_shared.store import cancels
from taskwire_shared.store.creations import Creations
from taskwire_shared.store.database import Database
from taskwire_shared.store.rows import FULL_COLUMNS, read_columns, to_task

MOMENT = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
HANDLERS = "sample_handlers"
READY_SECONDS = 20.0


class Tasks:
    """Creates tasks without a gateway, and looks what becomes of them."""

    def __init__(self, db: Database, bus: Bus, eventually: Callable[..., Awaitable[Any]]) -> None:
        self.db = db
        self._creations = Creations(db)
        self._ringer = Ringer(bus)
        self._news = QueueNews(bus)
        self._eventually = eventually

    async def create(self, type: str, given: Any = None, *, ring: bool = True, **options: Any) -> UUID:
        """Create a task whose input is `given` as JSON, or as it is when it is bytes."""
        data = given if isinstance(given, bytes | None) else msgspec.json.encode(given)
        task = NewTask(
            id=options.pop("id", None) or new_id(),
            tenant="default",
            queue=options.pop("queue", "default"),
            type=type,
            request_hash=bytes(16),
            input=None if data is None else Payload(data, is_text=True),
            retry_policy=RetryPolicy(**{"initial_backoff_ms": 1, **options.pop("retry", {})}),
            **options,
        )
        creation = await self._creations.create_tasks([task])
        for queue in creation.new_queues:
            self._news.announce(queue)
        if ring:
            self._ringer.ring([Ready(task.id, task.queue, task.priority)])
        return task.id

    async def create_many(self, type: str, count: int, given: Any = None, *, ring: bool = True) -> list[UUID]:
        """Create tasks in one batch."""
        data = msgspec.json.encode(given)
        tasks = [
            NewTask(
                id=new_id(),
                tenant="default",
                queue="default",
                type=type,
                request_hash=bytes(16),
                input=Payload(data, is_text=True),
            )
            for _ in range(count)
        ]
        await self._creations.create_tasks(tasks)
        if ring:
            self._ringer.ring(Ready(task.id, task.queue, TaskPriority.NORMAL) for task in tasks)
        return [task.id for task in tasks]

    async def get(self, task_id: UUID) -> Task:
        """Read a task."""
        row = await self.db.fetchrow(f"SELECT {read_columns(FULL_COLUMNS)} FROM tasks t WHERE id = $1", task_id)
        assert row is not None
        return to_task(row, full=True)

    async def reaches(self, task_id: UUID, *states: TaskState, timeout: float = 15.0) -> Task:
        """Wait until a task is in one of `states`, and return it."""

        async def is_there() -> Task | None:
            task = await self.get(task_id)
            return task if task.state in states else None

        return await self._eventually(is_there, timeout=timeout, what=f"{task_id} in {states}")

    async def ends(self, task_id: UUID, *, timeout: float = 15.0) -> Task:
        """Wait until a task is finished, and return it."""
        finals = (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED)
        return await self.reaches(task_id, *finals, timeout=timeout)

    async def count(self, state: TaskState) -> int:
        """Count the tasks in `state`."""
        return await self.db.fetchval("SELECT count(*) FROM tasks WHERE state = $1", state)

    async def history(self, task_id: UUID) -> list[TaskState]:
        """Return the states that a task has been in, one for each version."""
        rows = await self.db.fetch("SELECT state FROM task_events WHERE task_id = $1 ORDER BY version", task_id)
        return [TaskState(row["state"]) for row in rows]


@pytest.fixture
async def tasks(db: Database, bus: Bus, eventually: Callable[..., Awaitable[Any]]) -> Tasks:
    """Give what creates tasks and looks after them."""
    return Tasks(db, bus, eventually)


@pytest.fixture
def meeting(tmp_path: Path, eventually: Callable[..., Awaitable[Any]]) -> "Meeting":
    """Give a folder in which test and handler leave signs for each other."""
    return Meeting(tmp_path, eventually)


class Meeting:
    """The test's side of the folder in which it meets handlers."""

    def __init__(self, folder: Path, eventually: Callable[..., Awaitable[Any]]) -> None:
        self.folder = folder
        self._eventually = eventually

    def place(self, **more: Any) -> dict[str, Any]:
        """Return the input that tells a handler where to meet."""
        return {"folder": str(self.folder), **more}

    def say(self, sign: str) -> None:
        """Leave a sign."""
        (self.folder / sign).touch()

    def has(self, sign: str) -> bool:
        """Tell whether a sign was left."""
        return (self.folder / sign).exists()

    async def sees(self, sign: str, *, timeout: float = 15.0) -> None:
        """Wait for a sign."""
        await self._eventually(lambda: self.has(sign), timeout=timeout, what=f"the sign {sign}")


@pytest.fixture(autouse=True)
def find_sample_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runners find the module of the handlers."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.fixture
def cancel(db: Database, bus: Bus) -> Callable[..., Awaitable[None]]:
    """Give a function that asks to cancel a task as a gateway does; the notice can be left out."""

    async def ask(task_id: UUID, *, notice: bool = True) -> None:
        task = await cancels.cancel(db, "default", task_id, "enough")
        assert task is not None
        if notice and task.processor is not None:
            CancelNotices(bus).send(task.processor, Fence(task.id, task.attempt))

    return ask


Run = Callable[..., Any]


@pytest.fixture
async def processor(settings: Callable[..., Settings], db: Database) -> Run:
    """Give a context manager that runs a processor within the test, with given settings, and gives its stop event."""
    await db.execute("INSERT INTO queues (tenant, name) VALUES ('default', 'default')")

    @asynccontextmanager
    async def run(**given: Any) -> AsyncIterator[asyncio.Event]:
        chosen = settings(**{"handlers": (HANDLERS,), "grace_seconds": 2.0, **given})
        stop, is_ready = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(serve(chosen, stop=stop, ready=lambda *_: is_ready.set()))
            waiting = asyncio.create_task(is_ready.wait())
            await asyncio.wait((serving, waiting), timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            try:
                yield stop
            finally:
                stop.set()

    return run


@pytest.fixture
async def service(settings: Callable[..., Settings], tmp_path: Path) -> AsyncIterator[Callable[..., Service]]:
    """Give a function that starts a processor as a process of its own, which can be killed and frozen."""
    services: list[Service] = []

    async def start(**given: Any) -> Service:
        chosen = settings(**{"handlers": (HANDLERS,), "grace_seconds": 2.0, **given})
        name = f"processor-{len(services)}"
        one = Service(
            "processor",
            name,
            environment={**os.environ, **chosen.as_environment()},
            log=tmp_path / f"{name}.log",
            grace=chosen.grace_seconds,
        )
        services.append(one)
        await one.start()
        return one

    yield start
    for one in services:
        if one.is_running:
            one.thaw()
            await one.kill()


class Outcomes:
    """Takes outcomes, as a completer does."""

    def __init__(self) -> None:
        self.taken: asyncio.Queue[object] = asyncio.Queue()

    def add(self, outcome, held) -> None:
        self.taken.put_nowait(outcome)

    def report(self, fence, fraction, message) -> None:
        self.taken.put_nowait((fence, fraction, message))


class OneRunner:
    """Both the runners and the only one of them. It ends a handler that is told to stop only if it is polite."""

    def __init__(self, attempts) -> None:
        self.attempts = attempts
        self.held = {}
        self.was_killed = False
        self.is_polite = True

    def run(self, held) -> None:
        held.runner = self
        self.held[held.key] = held

    def send(self, message) -> None:
        if self.is_polite:
            self.attempts.heard(self, [wire.Unwound(message.key)])

    def withdraw(self, held) -> None:
        pass

    def kill(self, runner) -> None:
        self.was_killed = True
        self.attempts.died(self, -9)


class World:
    """What an attempt needs to be held and stopped, without any process or database."""

    def __init__(self, grace: float = 0.1) -> None:
        self.outcomes = Outcomes()
        self.slots = Slots(10)
        self.attempts = Attempts(self.slots, Judge(Random(1)), self.outcomes)
        self.runner = OneRunner(self.attempts)
        self.stopper = Stopper(self.attempts, self.runner, grace_seconds=grace)
        self.canceller = Canceller(self.attempts, self.stopper)

    def hold(self, *, timeout_ms: int | None = None, attempt: int = 1, task_id=None):
        self.slots.take(1)
        task = ClaimedTask(
            id=task_id or new_id(),
            attempt=attempt,
            excused=0,
            queue="default",
            type="echo",
            input=None,
            retry_policy=RetryPolicy(attempt_timeout_ms=timeout_ms),
            created_at=MOMENT,
            started_at=MOMENT,
            runs_alone=False,
        )
        (held,) = self.attempts.hold([task])
        return held

    async def outcome(self):
        return await asyncio.wait_for(self.outcomes.taken.get(), 5)


@pytest.fixture
async def world():
    made = World()
    running = asyncio.create_task(made.stopper.run())
    yield made
    running.cancel()
    await asyncio.wait((running,))

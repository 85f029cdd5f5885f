"""What tests of the store begin with: tasks, processors, and a look at the history."""

from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings

from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import Fence
from taskwire_shared.domain.task import NewTask, Payload, Task, TaskState
from taskwire_shared.domain.transitions import LEGAL_STEPS
from taskwire_shared.store import claims, processors
from taskwire_shared.store.creations import Creations
from taskwire_shared.store.database import Database
from taskwire_shared.store.rows import FULL_COLUMNS, read_columns, to_task

# See test_store_machine.py.
settings.register_profile(
    "hunt", max_examples=5_000, stateful_step_count=60, deadline=None, suppress_health_check=[*HealthCheck]
)


@pytest.fixture
def creations(db: Database) -> Creations:
    return Creations(db)


@pytest.fixture
def new_task() -> Callable[..., NewTask]:
    def make(**given: Any) -> NewTask:
        fields: dict[str, Any] = {
            "id": new_id(),
            "tenant": "default",
            "queue": "default",
            "type": "echo",
            "request_hash": b"h" * 16,
            "input": Payload(data=b'"hi"', is_text=True, content_type="application/json"),
        }
        return NewTask(**{**fields, **given})

    return make


@pytest.fixture
async def processor(new_processor: Callable[..., Awaitable[UUID]]) -> UUID:
    return await new_processor()


@pytest.fixture
def new_processor(db: Database) -> Callable[..., Awaitable[UUID]]:
    async def register(lease_seconds: float = 300.0) -> UUID:
        processor = processors.Processor(id=new_id(), queues=None, types=["echo"], concurrency=100, host="here")
        await processors.register(db, processor, lease_seconds)
        return processor.id

    return register


@pytest.fixture
def read(db: Database) -> Callable[[UUID], Awaitable[Task]]:
    async def read_task(task_id: UUID) -> Task:
        row = await db.fetchrow(f"SELECT {read_columns(FULL_COLUMNS)} FROM tasks t WHERE id = $1", task_id)
        assert row is not None
        return to_task(row, full=True)

    return read_task


@pytest.fixture
def history(db: Database) -> Callable[[UUID], Awaitable[list[TaskState]]]:
    """Read the states of a task in order, and check what holds of every history."""

    async def states(task_id: UUID) -> list[TaskState]:
        rows = await db.fetch("SELECT * FROM task_events WHERE task_id = $1 ORDER BY version", task_id)
        assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
        assert all(
            earlier["seq"] < later["seq"] and earlier["at"] <= later["at"] and earlier["attempt"] <= later["attempt"]
            for earlier, later in pairwise(rows)
        )
        found = [TaskState(row["state"]) for row in rows]
        assert set(pairwise([None, *found])) <= LEGAL_STEPS
        now = await db.fetchrow("SELECT state, version, attempt, updated_at FROM tasks WHERE id = $1", task_id)
        last = rows[-1]
        assert tuple(now) == (last["state"], last["version"], last["attempt"], last["at"])
        return found

    return states


@pytest.fixture
def claimed(
    db: Database, creations: Creations, new_task: Callable[..., NewTask], processor: UUID
) -> Callable[..., Awaitable[Fence]]:
    """Create a task and claim it."""

    async def claim(**given: Any) -> Fence:
        task = new_task(**given)
        await creations.create_tasks([task])
        (claimed,) = await claims.claim_rung(db, processor, [task.id], ["echo"], 1)
        return Fence(claimed.id, claimed.attempt)

    return claim

"""Claims in the name of a processor."""

import pytest

from taskwire_processor.claimant import Claimant
from taskwire_processor.scan import Look
from taskwire_shared.domain.ids import new_id
from taskwire_shared.store import processors
from taskwire_shared.store.claims import EVERYTHING
from taskwire_shared.store.processors import Processor


async def test_others_end_an_attempt_only_after_the_grace_of_its_processor(db, tasks):
    await db.execute("INSERT INTO queues (tenant, name) VALUES ('default', 'default')")
    identifier = new_id()
    await processors.register(db, Processor(id=identifier, queues=None, types=["echo"], concurrency=2, host="here"), 30)
    claimant = Claimant(db, identifier, queues=["default"], due_slack_seconds=600.0)
    retry = {"attempt_timeout_ms": 60_000}
    rung, waiting = [await tasks.create("echo", ring=False, retry=retry) for _ in range(2)]
    assert await claimant.still_waiting([rung, waiting]) == {rung, waiting}
    claimed = await claimant.claim_rung([rung], ["echo"], 1)
    claimed += await claimant.claim_waiting(["echo"], 1, Look(EVERYTHING, 1.0))
    due = {row["id"]: row["due_at"] for row in await db.fetch("SELECT id, due_at FROM tasks")}

    assert [task.id for task in claimed] == [rung, waiting]
    assert [due[task.id].timestamp() - task.started_at for task in claimed] == pytest.approx([660] * 2, abs=1e-6)

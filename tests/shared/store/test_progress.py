"""Reports of running attempts."""

from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import Fence
from taskwire_shared.domain.task import NewTask
from taskwire_shared.store.claims import claim_rung
from taskwire_shared.store.completions import ProgressReport, report_progress
from taskwire_shared.store.creations import Creations
from taskwire_shared.store.processors import Processor, register
from taskwire_shared.store.progress import recent_progress


async def test_only_recent_reports_of_running_tasks_are_found(db):
    tasks = [NewTask(id=new_id(), tenant="t", queue="q", type="echo", request_hash=bytes(16)) for _ in range(3)]
    ids = [task.id for task in tasks]
    await Creations(db).create_tasks(tasks)
    processor = Processor(id=new_id(), queues=None, types=["echo"], concurrency=1, host="test")
    await register(db, processor, 60)
    await claim_rung(db, processor.id, ids[:2], ["echo"], 2)
    assert await recent_progress(db, ids, 60) == {}
    report = ProgressReport(fraction=0.5, message="half", fence=Fence(ids[0], 1))
    await report_progress(db, processor.id, [report])
    found = await recent_progress(db, ids, 60)
    assert found.keys() == {ids[0]}
    assert (found[ids[0]].fraction, found[ids[0]].message) == (0.5, "half")
    assert await recent_progress(db, ids[1:], 60) == {}
    assert await recent_progress(db, ids, 0) == {}

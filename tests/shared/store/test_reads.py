from datetime import UTC, datetime, timedelta
from uuid import uuid4

from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import Failed, Fence
from taskwire_shared.domain.task import Failure, NewTask, Payload, TaskPriority, WaitReason
from taskwire_shared.store.claims import claim_rung
from taskwire_shared.store.completions import settle
from taskwire_shared.store.creations import Creations
from taskwire_shared.store.installation import read_installation
from taskwire_shared.store.processors import Processor, register
from taskwire_shared.store.queues import pause_queue
from taskwire_shared.store.reads import get_task, wait_reason


async def create(db, **given):
    usual = {"id": new_id(), "tenant": "default", "queue": "mail", "type": "send", "request_hash": bytes(16)}
    task = NewTask(**(usual | given))
    await Creations(db).create_tasks([task])
    return task.id


async def processor_of(db, *, queues=None, types=("send",), lease_seconds=60.0):
    identifier = uuid4()
    await register(db, Processor(id=identifier, queues=queues, types=types, concurrency=10, host="here"), lease_seconds)
    return identifier


async def reason_of(db, identifier):
    return await wait_reason(db, await get_task(db, "default", identifier, full=False))


async def test_a_task_is_read_as_it_was_given(db):
    payload = Payload(b"\x00\xff", content_type="application/x")
    identifier = await create(db, input=payload, labels={"a": "b"}, priority=TaskPriority.HIGH)
    task = await get_task(db, "default", identifier, full=True)
    assert task.input == payload
    assert task.labels == {"a": "b"}
    assert task.priority is TaskPriority.HIGH
    assert (await get_task(db, "default", identifier, full=False)).input is None


async def test_a_task_that_is_not_there_is_none(db):
    assert await get_task(db, "default", new_id(), full=True) is None


async def test_p10_a_task_of_another_tenant_is_not_there(db):
    identifier = await create(db, tenant="alpha")
    assert await get_task(db, "beta", identifier, full=True) is None


async def test_a_task_waits_for_its_time(db):
    identifier = await create(db, schedule_at=datetime.now(UTC) + timedelta(hours=1))
    assert await reason_of(db, identifier) is WaitReason.SCHEDULED


async def test_a_task_waits_after_a_failure(db):
    processor = await processor_of(db)
    identifier = await create(db)
    [claimed] = await claim_rung(db, processor, [identifier], ["send"], 1)
    assert await reason_of(db, identifier) is WaitReason.NONE
    fence = Fence(identifier, claimed.attempt)
    await settle(db, processor, [Failed(fence, Failure("NO_ROUTE"), retry_in_seconds=60.0)])
    assert await reason_of(db, identifier) is WaitReason.BACKOFF


async def test_a_task_waits_for_a_processor(db):
    identifier = await create(db)
    await processor_of(db, types=["other"])
    await processor_of(db, queues=["other"])
    await processor_of(db, lease_seconds=-1.0)
    assert await reason_of(db, identifier) is WaitReason.NO_PROCESSOR


async def test_a_task_waits_in_line(db):
    identifier = await create(db)
    await processor_of(db, queues=["mail"])
    assert await reason_of(db, identifier) is WaitReason.IN_LINE


async def test_a_task_waits_in_a_paused_queue(db):
    identifier = await create(db)
    await processor_of(db)
    await pause_queue(db, "default", "mail")
    assert await reason_of(db, identifier) is WaitReason.QUEUE_PAUSED


async def test_an_installation_knows_itself(db, postgres, database_url):
    one = await read_installation(db)
    assert len(one.token_secret) == 32
    assert one == await read_installation(db)
    await db.execute("UPDATE installation SET incarnation = gen_random_uuid()")
    assert (await read_installation(db)).incarnation != one.incarnation

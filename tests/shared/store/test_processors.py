from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import Succeeded
from taskwire_shared.store import cancels, completions, processors


async def test_a_lease_is_renewed_while_it_is_alive(db, new_processor):
    alive = await new_processor(lease_seconds=60)
    before = await db.fetchval("SELECT lease_until FROM processors")
    assert await processors.renew(db, alive, 90)
    assert await db.fetchval("SELECT lease_until FROM processors") > before


async def test_a_lease_that_has_passed_stays_dead(db, new_processor):
    dead = await new_processor(lease_seconds=0)
    assert not await processors.renew(db, dead, 60)
    assert not await processors.renew(db, new_id(), 60)


async def test_holdings_are_what_runs_here(db, claimed, processor, new_processor):
    running, asked, done = await claimed(), await claimed(), await claimed()
    await cancels.cancel(db, "default", asked.task_id, "")
    await completions.succeed(db, processor, [Succeeded(done, None)])
    holdings = await processors.holdings(db, processor)
    assert {(held.task_id, held.attempt, held.cancel_requested) for held in holdings.held} == {
        (running.task_id, 1, False),
        (asked.task_id, 1, True),
    }
    assert all(held.started_at <= holdings.now for held in holdings.held)
    assert (await processors.holdings(db, await new_processor())).held == []


async def test_of_the_given_those_that_run_here_are_held(db, claimed, processor, new_processor):
    running, asked, done = await claimed(), await claimed(), await claimed()
    await cancels.cancel(db, "default", asked.task_id, "")
    await completions.succeed(db, processor, [Succeeded(done, None)])
    ids = [running.task_id, asked.task_id, done.task_id, new_id()]
    held = await processors.held(db, processor, ids)
    assert {(one.task_id, one.attempt, one.cancel_requested) for one in held} == {
        (running.task_id, 1, False),
        (asked.task_id, 1, True),
    }
    assert [one.task_id for one in await processors.held(db, processor, [running.task_id])] == [running.task_id]
    assert await processors.held(db, await new_processor(), ids) == []
    assert await processors.held(db, processor, []) == []


async def test_a_registration_whose_answer_was_lost_is_repeated(db):
    some = processors.Processor(id=new_id(), queues=None, types=["x"], concurrency=7, host="h")
    await processors.register(db, some, 0.001)
    await processors.register(db, some, 30)
    assert await processors.renew(db, some.id, 30)


async def test_what_a_processor_serves_is_kept(db):
    some = processors.Processor(id=new_id(), queues=["a"], types=["x", "y"], concurrency=7, host="h")
    await processors.register(db, some, 30)
    row = await db.fetchrow("SELECT queues, types, concurrency, host FROM processors")
    assert tuple(row) == (["a"], ["x", "y"], 7, "h")
    await processors.deregister(db, some.id)
    assert not await processors.renew(db, some.id, 30)

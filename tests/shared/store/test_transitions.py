"""Every operation of the store, on a task in every state, against the table of legal transitions."""

import itertools
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from taskwire_shared.domain.outcome import Failed, Fence, HandedBack, RunnerLost, Stopped, Succeeded
from taskwire_shared.domain.task import Failure, Payload, RetryPolicy, TaskState
from taskwire_shared.domain.transitions import LEGAL, Transition
from taskwire_shared.store import cancels, claims, completions, dues, reaps

S = TaskState
T = Transition
BOOM = Failure("BOOM", "boom")
HOUR = timedelta(hours=1)


async def claim_rung(db, processor, fences):
    await claims.claim_rung(db, processor, [fence.task_id for fence in fences], ["echo"], 100)


async def claim_waiting(db, processor, fences):
    await claims.claim_waiting(db, processor, None, ["echo"], 100)


async def succeed(db, processor, fences):
    await completions.succeed(db, processor, [Succeeded(fence, Payload(b"")) for fence in fences])


def settle(make):
    async def run(db, processor, fences):
        await completions.settle(db, processor, [make(fence) for fence in fences])

    return run


async def start_due(db, processor, fences):
    await db.execute("UPDATE tasks SET schedule_at = now(), due_at = now() WHERE state = 1")
    await dues.start_due(db, 100)


async def expire(db, processor, fences):
    await db.execute("UPDATE tasks SET expire_at = now(), due_at = now() WHERE state <= 2")
    await dues.start_due(db, 100)


async def expire_on_retry(db, processor, fences):
    await db.execute("UPDATE tasks SET expire_at = now() + interval '1 second'")
    await settle(lambda fence: Failed(fence, BOOM, retry_in_seconds=60))(db, processor, fences)


async def time_out(db, processor, fences):
    await db.execute("UPDATE tasks SET due_at = now() WHERE state = 3")
    await dues.start_due(db, 100)


async def take_back(db, processor, fences):
    await db.execute("DELETE FROM processors")
    await reaps.take_back(db, 100)


async def take_back_the_last(db, processor, fences):
    await db.execute("UPDATE tasks SET max_attempts = 1")
    await take_back(db, processor, fences)


async def lose_the_last_runner(db, processor, fences):
    await db.execute("UPDATE tasks SET max_attempts = 1")
    await settle(lambda fence: RunnerLost(fence, BOOM))(db, processor, fences)


async def cancel(db, processor, fences):
    for fence in fences:
        await cancels.cancel(db, "default", fence.task_id, "")


async def cancel_and_stop(db, processor, fences):
    await cancel(db, processor, fences)
    await settle(Stopped)(db, processor, fences)


async def cancel_and_take_back(db, processor, fences):
    await cancel(db, processor, fences)
    await take_back(db, processor, fences)


async def cancel_and_time_out(db, processor, fences):
    await cancel(db, processor, fences)
    await time_out(db, processor, fences)


CANCELS_AT_ONCE = {(S.SCHEDULED, S.CANCELLED), (S.PENDING, S.CANCELLED)}
ASKS, STOPS = (S.RUNNING, S.RUNNING), (S.RUNNING, S.CANCELLED)
OPERATIONS = {
    claim_rung: {T.CLAIM: {(S.PENDING, S.RUNNING)}},
    claim_waiting: {T.CLAIM: {(S.PENDING, S.RUNNING)}},
    succeed: {T.SUCCEED: {(S.RUNNING, S.SUCCEEDED)}},
    settle(lambda fence: Failed(fence, BOOM)): {T.FAIL: {(S.RUNNING, S.FAILED)}},
    settle(lambda fence: Failed(fence, BOOM, retry_in_seconds=0)): {T.RETRY: {(S.RUNNING, S.SCHEDULED)}},
    settle(HandedBack): {T.HAND_BACK: {(S.RUNNING, S.PENDING)}},
    settle(Stopped): {T.HAND_BACK: {(S.RUNNING, S.PENDING)}},
    settle(lambda fence: RunnerLost(fence, BOOM)): {T.TAKE_BACK: {(S.RUNNING, S.PENDING)}},
    lose_the_last_runner: {T.TAKE_BACK: {(S.RUNNING, S.FAILED)}},
    take_back: {T.TAKE_BACK: {(S.RUNNING, S.PENDING)}},
    take_back_the_last: {T.TAKE_BACK: {(S.RUNNING, S.FAILED)}},
    start_due: {T.START_DUE: {(S.SCHEDULED, S.PENDING)}},
    expire: {T.EXPIRE: {(S.SCHEDULED, S.FAILED), (S.PENDING, S.FAILED)}},
    expire_on_retry: {T.EXPIRE: {(S.RUNNING, S.FAILED)}},
    time_out: {T.RETRY: {(S.RUNNING, S.SCHEDULED)}},
    cancel: {T.CANCEL: CANCELS_AT_ONCE, T.REQUEST_CANCEL: {ASKS}},
    cancel_and_stop: {T.CANCEL: {*CANCELS_AT_ONCE, STOPS}, T.REQUEST_CANCEL: {ASKS}},
    cancel_and_take_back: {T.CANCEL: {*CANCELS_AT_ONCE, STOPS}, T.REQUEST_CANCEL: {ASKS}},
    cancel_and_time_out: {T.CANCEL: {*CANCELS_AT_ONCE, STOPS}, T.REQUEST_CANCEL: {ASKS}},
}


@pytest.fixture
async def one_in_each_state(db, creations, new_task, processor):
    soon = datetime.now(UTC) + HOUR
    policy = RetryPolicy(attempt_timeout_ms=3_600_000)
    tasks = {state: new_task(retry_policy=policy, expire_at=soon + HOUR) for state in S if state is not S.SCHEDULED}
    tasks[S.SCHEDULED] = new_task(retry_policy=policy, expire_at=soon + HOUR, schedule_at=soon)
    await creations.create_tasks(list(tasks.values()))
    running = [tasks[state].id for state in (S.RUNNING, S.SUCCEEDED, S.FAILED)]
    await claims.claim_rung(db, processor, running, ["echo"], 10)
    fences = {state: Fence(task.id, 1) for state, task in tasks.items()}
    await completions.succeed(db, processor, [Succeeded(fences[S.SUCCEEDED], None)])
    await completions.settle(db, processor, [Failed(fences[S.FAILED], BOOM)])
    await cancels.cancel(db, "default", fences[S.CANCELLED].task_id, "")
    return fences


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
async def test_p4_an_operation_makes_its_legal_steps_and_no_others(
    db, processor, one_in_each_state, history, operation
):
    fences = one_in_each_state
    before = {state: await history(fence.task_id) for state, fence in fences.items()}
    assert all(states[-1] is state for state, states in before.items())
    await operation(db, processor, list(fences.values()))
    steps = set()
    for state, fence in fences.items():
        states = [state, *(await history(fence.task_id))[len(before[state]) :]]
        steps |= set(itertools.pairwise(states))
    assert steps == set().union(*OPERATIONS[operation].values())


def test_the_operations_make_every_legal_step():
    made = defaultdict(set, {T.CREATE: {(None, S.SCHEDULED), (None, S.PENDING)}})
    for steps in OPERATIONS.values():
        for transition, pairs in steps.items():
            made[transition] |= pairs
    assert made == LEGAL


@pytest.mark.parametrize(
    "wrong",
    [
        "state = 7",
        "version = 0",
        "state = 3, processor = NULL, started_at = now(), attempt = 1",
        "state = 3, processor = id, started_at = now()",
        "excused = 1",
        "state = 4",
        "finished_at = now()",
        "state = 5, finished_at = now()",
        "failure = '{}'",
        "output = ''",
        "state = 4, finished_at = now(), due_at = now()",
        "state = 1",
        "priority = 0",
    ],
)
async def test_the_database_refuses_what_cannot_be(db, creations, new_task, wrong):
    await creations.create_tasks([new_task()])
    with pytest.raises(asyncpg.CheckViolationError):
        await db.execute(f"UPDATE tasks SET {wrong}")

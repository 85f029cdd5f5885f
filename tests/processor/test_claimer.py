"""Filling free slots: by rings, and without."""

import asyncio
from uuid import UUID

import pytest

from taskwire_processor.claimer import CLAIM_SECONDS, CLAIMS_MAX, FEW_TASKS, Claimer
from taskwire_processor.scan import Scan
from taskwire_processor.slots import Slots
from taskwire_shared.bus.rings import Ringer
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.domain.ready import Ready
from taskwire_shared.domain.task import TaskPriority, TaskState
from taskwire_shared.store import claims, queues

S = TaskState


async def test_no_more_run_than_there_are_slots(processor, tasks, meeting, db, eventually):
    async with processor(concurrency=3):
        await tasks.create_many("coroutine", 10, meeting.place())
        await eventually(lambda: db.fetchval("SELECT count(*) = 3 FROM tasks WHERE state = 3"))
        waiting = await tasks.count(S.PENDING)
        meeting.say("go")
        await eventually(lambda: db.fetchval("SELECT count(*) = 10 FROM tasks WHERE state = 4"))

    assert waiting == 7


async def test_ring_is_acknowledged_and_not_heard_again(processor, tasks, bus, eventually):
    async with processor():
        await tasks.ends(await tasks.create("pid"))
        ids = await tasks.create_many("pid", 100)
        await asyncio.gather(*(tasks.ends(one) for one in ids))

        async def is_empty():
            name = f"{bus.prefix}_RINGS".upper()
            answer = await bus.request(f"$JS.API.STREAM.INFO.{name}", b"")
            return b'"messages":0,' in answer

        await eventually(is_empty)


async def test_p5_unrung_task_starts_within_10_seconds(processor, tasks):
    async with processor():
        await tasks.ends(await tasks.create("pid"))
        task_id = await tasks.create("pid", ring=False)
        task = await tasks.ends(task_id, timeout=10.0)

    assert task.state is S.SUCCEEDED


@pytest.fixture
def slow_scans(monkeypatch):
    """Hold up scans from `begin()` on, until `gate` is set; `rooms` is how many tasks they ask for."""
    original = claims.claim_waiting

    class Slow:
        def __init__(self) -> None:
            self.rooms: list[int] = []
            self.gate = asyncio.Event()

        def begin(self) -> None:
            monkeypatch.setattr(claims, "claim_waiting", self)

        async def __call__(self, db, processor_id, queues, types, room, *more, seconds):
            self.rooms.append(room)
            await self.gate.wait()
            return await original(db, processor_id, queues, types, room, *more, seconds=seconds)

    return Slow()


async def test_p5_scan_that_takes_long_leaves_room_for_what_is_rung(processor, tasks, eventually, slow_scans):
    async with processor(concurrency=10):
        await tasks.ends(await tasks.create("pid"))
        slow_scans.begin()
        await eventually(lambda: slow_scans.rooms)
        ended = [await tasks.ends(await tasks.create("pid")) for _ in range(3)]
        slow_scans.gate.set()

    assert {task.state for task in ended} == {S.SUCCEEDED}
    assert slow_scans.rooms[0] == 5


async def test_claims_go_on_as_soon_as_outcomes_are_no_longer_too_many(
    processor, tasks, eventually, monkeypatch, slow_scans
):
    monkeypatch.setattr("taskwire_processor.completer.UNSTORED_MAX", 1)
    # Nothing but the news of it lets the claimer look.
    monkeypatch.setattr("taskwire_processor.claimer.LOOK_SECONDS", 3600.0)
    async with processor(concurrency=10):
        await tasks.ends(await tasks.create("pid"))
        slow_scans.begin()
        await eventually(lambda: slow_scans.rooms)
        ended = [await tasks.ends(one, timeout=CLAIM_SECONDS - 1) for one in await tasks.create_many("pid", 20)]
        slow_scans.gate.set()

    assert {task.state for task in ended} == {S.SUCCEEDED}


async def test_room_that_a_scan_takes_meanwhile_is_not_taken_twice(processor, tasks, monkeypatch, eventually):
    most = []
    original = Slots.take

    def take(slots, count):
        original(slots, count)
        most.append(slots.taken)

    monkeypatch.setattr(Slots, "take", take)
    begin = Claimer._begin_claim

    async def beside_a_scan(claimer, group, room):
        # In the same turn of the loop, as news of a queue may.
        claimer.scan_soon()
        await begin(claimer, group, room)

    monkeypatch.setattr(Claimer, "_begin_claim", beside_a_scan)
    async with processor(concurrency=10):
        await tasks.ends(await tasks.create("pid"))
        for _ in range(20):
            ids = await tasks.create_many("pid", 20)
            await asyncio.gather(*(tasks.ends(one) for one in ids))

    assert max(most) == 10


@pytest.fixture
def no_scans(monkeypatch):
    """Let scans find nothing, from the call on."""

    async def find_nothing(*_, **__):
        return []

    return lambda: monkeypatch.setattr(claims, "claim_waiting", find_nothing)


async def test_what_one_has_no_room_for_is_left_to_others(processor, tasks, meeting, eventually, db, no_scans):
    async with processor(concurrency=10), processor(concurrency=10):
        await tasks.ends(await tasks.create("pid"))
        no_scans()
        ids = await tasks.create_many("coroutine", 20, meeting.place())
        await eventually(lambda: db.fetchval("SELECT count(*) = 20 FROM tasks WHERE state = 3"))
        meeting.say("go")
        ended = await asyncio.gather(*(tasks.ends(one) for one in ids))

    assert {task.attempt for task in ended} == {1}


async def test_what_is_left_of_a_ring_is_rung_again_at_the_end(
    processor, tasks, meeting, eventually, db, bus, no_scans, monkeypatch
):
    monkeypatch.setattr("taskwire_processor.claimer.KEEP_SECONDS", 3600.0)
    # From the beginning: one that is under way could take what the ring is to bring.
    no_scans()
    async with processor(concurrency=1, grace_seconds=0.1) as stop:
        first = await tasks.create("pid", ring=False)

        async def is_heard():
            Ringer(bus).ring([Ready(first, "default", TaskPriority.NORMAL)])
            return (await tasks.get(first)).state is S.SUCCEEDED

        await eventually(is_heard)
        rung = []
        ids = await tasks.create_many("coroutine", 3, meeting.place())
        await eventually(lambda: db.fetchval("SELECT count(*) = 1 FROM tasks WHERE state = 3"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Ringer, "ring", lambda _, ready: rung.extend(ready))
            stop.set()
            await eventually(lambda: {one.id for one in rung} == set(ids))


async def test_claims_go_on_as_soon_as_a_runner_is_back(processor, tasks, monkeypatch, no_scans):
    monkeypatch.setattr("taskwire_processor.claimer.LOOK_SECONDS", 3600.0)
    monkeypatch.setattr("taskwire_processor.claimer.KEEP_SECONDS", 3600.0)
    async with processor(concurrency=2):
        await tasks.ends(await tasks.create("pid"))
        no_scans()
        await tasks.reaches(await tasks.create("exit", retry={"max_attempts": 1}), S.FAILED)
        task = await tasks.ends(await tasks.create("pid"))

    assert task.state is S.SUCCEEDED


async def test_paused_queue_is_left_alone_until_it_is_resumed(processor, tasks, db):
    async with processor():
        await tasks.ends(await tasks.create("pid"))
        await queues.pause_queue(db, "default", "default")
        held_back = await tasks.create("pid")
        await tasks.ends(await tasks.create("pid", queue="other"))
        before = await tasks.get(held_back)
        await queues.resume_queue(db, "default", "default")
        after = await tasks.ends(held_back)

    assert (before.state, after.state) == (S.PENDING, S.SUCCEEDED)


async def test_claim_that_the_database_does_not_answer_is_repeated(processor, tasks, monkeypatch):
    original, failures = claims.claim_rung, []

    async def fail_once(*args):
        if not failures:
            failures.append(args)
            raise BackendUnavailable
        return await original(*args)

    monkeypatch.setattr(claims, "claim_rung", fail_once)
    async with processor(concurrency=1):
        first = await tasks.ends(await tasks.create("pid"))
        second = await tasks.ends(await tasks.create("pid"))

    assert {first.state, second.state} == {S.SUCCEEDED}


@pytest.fixture
def slow_claims(monkeypatch, eventually):
    """Hold up claims of rung tasks from `begin()` on, until `gate` is set; `asked` is what they ask for."""
    claim, scan = claims.claim_rung, claims.claim_waiting

    class Slow:
        def __init__(self) -> None:
            self.asked: list[list[UUID]] = []
            self.gate = asyncio.Event()
            self._past: UUID | None = None
            self._scans = 0

        async def begin(self, past: UUID) -> None:
            """Leave everything after the task `past`, whose ring may still be on its way, to claims of rung tasks."""
            self._past = past
            await eventually(lambda: not self._scans)

        async def scan(self, *args, **options):
            if self._past is not None:
                return []
            self._scans += 1
            try:
                return await scan(*args, **options)
            finally:
                self._scans -= 1

        async def claim(self, db, processor_id, ids, *args):
            if self._past is not None and ids != [self._past]:
                self.asked.append(ids)
                await self.gate.wait()
            return await claim(db, processor_id, ids, *args)

    slow = Slow()
    monkeypatch.setattr(claims, "claim_rung", slow.claim)
    monkeypatch.setattr(claims, "claim_waiting", slow.scan)
    return slow


async def test_more_claims_are_begun_beside_a_large_one_only_for_full_batches(
    processor, tasks, monkeypatch, eventually, slow_claims
):
    monkeypatch.setattr("taskwire_processor.claimer.BATCH_MAX", 20)
    async with processor(concurrency=100):
        first = await tasks.create("pid")
        await tasks.ends(first)
        await slow_claims.begin(first)
        ids = await tasks.create_many("pid", FEW_TASKS + 1)
        await eventually(lambda: len(slow_claims.asked) == 1)
        ids += await tasks.create_many("pid", 19)
        ids += await tasks.create_many("pid", 70)
        await eventually(lambda: len(slow_claims.asked) == CLAIMS_MAX)
        began = [len(one) for one in slow_claims.asked]
        slow_claims.gate.set()
        ended = await asyncio.gather(*(tasks.ends(one) for one in ids))

    assert began == [FEW_TASKS + 1] + [20] * (CLAIMS_MAX - 1)
    assert {task.attempt for task in ended} == {1}


async def test_second_claim_is_begun_at_once_beside_a_small_one(processor, tasks, eventually, slow_claims):
    async with processor(concurrency=100):
        first = await tasks.create("pid")
        await tasks.ends(first)
        await slow_claims.begin(first)
        ids = [await tasks.create("pid")]
        await eventually(lambda: len(slow_claims.asked) == 1)
        ids.append(await tasks.create("pid"))
        await eventually(lambda: len(slow_claims.asked) == 2)
        slow_claims.gate.set()
        ended = await asyncio.gather(*(tasks.ends(one) for one in ids))

    assert slow_claims.asked[:2] == [[ids[0]], [ids[1]]]
    assert {task.attempt for task in ended} == {1}


@pytest.mark.parametrize("ring", [True, False])
async def test_process_handlers_beyond_their_runners_wait_unclaimed(
    processor, tasks, meeting, db, eventually, monkeypatch, ring
):
    monkeypatch.setattr("taskwire_processor.tenure.ALONE_RUNNERS_MIN", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    async with processor():
        ids = await tasks.create_many("process", 5, meeting.place(), ring=ring)
        await eventually(lambda: db.fetchval("SELECT count(*) = 2 FROM tasks WHERE state = 3"))
        beside = await tasks.ends(await tasks.create("pid"))
        waiting = await tasks.count(S.PENDING)
        meeting.say("go")
        ended = await asyncio.gather(*(tasks.ends(one) for one in ids))

    assert beside.state is S.SUCCEEDED
    assert waiting == 3
    assert {task.attempt for task in ended} == {1}


async def test_p5_look_for_what_waits_for_a_runner_to_itself_holds_up_nothing_else(
    processor, tasks, meeting, eventually, monkeypatch, db
):
    monkeypatch.setattr("taskwire_processor.tenure.ALONE_RUNNERS_MIN", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    # A look without an answer does not let go of anything by itself.
    monkeypatch.setattr("taskwire_processor.claimer.CLAIM_SECONDS", 600.0)
    original, gate, held_up = claims.claim_waiting, asyncio.Event(), []

    async def slow(db, processor_id, queues, types, room, *more, seconds):
        if "process" not in types and not gate.is_set():
            return []
        held_up.append(room)
        await gate.wait()
        return await original(db, processor_id, queues, types, room, *more, seconds=seconds)

    async with processor(concurrency=10):
        ids = await tasks.create_many("process", 2, meeting.place())
        await eventually(lambda: db.fetchval("SELECT count(*) = 1 FROM tasks WHERE state = 3"))
        monkeypatch.setattr(claims, "claim_waiting", slow)
        meeting.say("go")
        await eventually(lambda: held_up)
        # Claims of rings that are not claimed whole, one after the other.
        ids += [await tasks.create("process", meeting.place()) for _ in range(4)]
        ended = [await tasks.ends(await tasks.create("pid")) for _ in range(3)]
        gate.set()
        ended += await asyncio.gather(*(tasks.ends(one) for one in ids))

    assert {task.state for task in ended} == {S.SUCCEEDED}


async def test_looks_that_fail_or_are_cut_off_are_not_taken_for_done(processor, tasks, eventually, monkeypatch):
    original, outcomes, noted = claims.claim_waiting, [BackendUnavailable, claims.CutOff], []

    async def fail_at_first(*args, **more):
        if outcomes:
            raise outcomes.pop(0)
        return await original(*args, **more)

    for name in ("looked", "was_cut_off"):
        note = getattr(Scan, name)
        monkeypatch.setattr(Scan, name, lambda *args, name=name, note=note: (noted.append(name), note(*args)))
    monkeypatch.setattr(claims, "claim_waiting", fail_at_first)
    task_id = await tasks.create("pid", ring=False)
    async with processor():
        task = await tasks.ends(task_id, timeout=10.0)
        await eventually(lambda: len(noted) >= 2)

    assert task.attempt == 1
    assert noted[:2] == ["was_cut_off", "looked"]

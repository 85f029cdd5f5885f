"""A queue is judged by counts, which estimates may lower in between; a refusal or a high estimate asks for a count."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from taskwire_gateway import admission as admitting
from taskwire_gateway.admission import (
    COUNT_AGAIN_SECONDS,
    COUNT_PART,
    COUNT_SECONDS,
    SAMPLE_SECONDS,
    SUSPECT_PART,
    Admission,
)
from taskwire_shared.domain.errors import BackendUnavailable, InvalidFields, QueueFull
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.task import NewTask, TaskState
from taskwire_shared.store import queues
from taskwire_shared.store.creations import Creations
from taskwire_shared.store.database import STATEMENT_SECONDS, Database
from taskwire_shared.telemetry.metrics import GatewayMetrics

FULL = 10
SUSPECT = int(FULL * SUSPECT_PART) + 1
LONG_SECONDS = 2.0
"""That a count takes here."""


def _task() -> NewTask:
    return NewTask(id=new_id(), tenant="default", queue="mail", type="send", request_hash=bytes(16))


class Looks:
    """Stands in for the looks at the tables, and for the clock by which counts take long."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.counted = self.estimated = 0
        """How many tasks wait, by either look."""
        self.takes_seconds = LONG_SECONDS
        self.is_down = False
        self.counts: list[float] = []
        """How long each count might take."""
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        """What happens during a count that is not given up."""

    def clock(self) -> float:
        return self.now

    async def depths(self, _: Database, *, seconds: float) -> list[queues.Depth] | None:
        if self.is_down:
            self.now += 2 * STATEMENT_SECONDS
            raise BackendUnavailable
        self.counts.append(seconds)
        self.now += min(seconds, self.takes_seconds)
        if self.takes_seconds > seconds:
            return None
        found = [queues.Depth("default", "mail", TaskState.PENDING, self.counted)]
        if self.meanwhile is not None:
            await self.meanwhile()
        return found

    async def estimated_depths(self, _: Database) -> list[queues.Depth]:
        return [queues.Depth("default", "mail", TaskState.PENDING, self.estimated)]

    def take_counts(self) -> list[float]:
        """Forget the counts until now, and return them."""
        counts, self.counts = self.counts, []
        return counts


@pytest.fixture
def looks(monkeypatch: Any) -> Looks:
    looks = Looks()
    monkeypatch.setattr(queues, "depths", looks.depths)
    monkeypatch.setattr(queues, "estimated_depths", looks.estimated_depths)
    return looks


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def admission(db: Database, looks: Looks, registry: CollectorRegistry) -> Admission:
    return Admission(db, GatewayMetrics(registry), queue_depth_max=FULL, clock=looks.clock)


async def _let_in(admission: Admission, count: int = 1) -> None:
    for _ in range(count):
        await admission.admit([_task()])


async def _is_refused(admission: Admission) -> bool:
    try:
        await _let_in(admission)
    except QueueFull:
        return True
    return False


async def _sample_until_counts_are_due(admission: Admission, looks: Looks) -> None:
    """Sample as often as it is done until a long count may be followed by another, but not yet then."""
    for _ in range(int(LONG_SECONDS / COUNT_PART / SAMPLE_SECONDS) - 1):
        looks.now += SAMPLE_SECONDS
        await admission.sample()
    assert looks.take_counts() == []
    looks.now += SAMPLE_SECONDS


def _pending(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("taskwire_tasks", {"state": "pending"})


async def test_p9_no_queue_is_refused_on_an_estimate(
    looks: Looks, admission: Admission, registry: CollectorRegistry
) -> None:
    looks.estimated = FULL * 100

    await admission.sample()

    assert looks.take_counts() == [COUNT_SECONDS, STATEMENT_SECONDS]
    assert _pending(registry) == 0
    await _let_in(admission, FULL)
    assert await _is_refused(admission)


async def test_p9_nor_on_one_after_which_no_count_succeeds(looks: Looks, admission: Admission) -> None:
    looks.estimated, looks.takes_seconds = FULL * 100, STATEMENT_SECONDS * 2
    await admission.sample()
    assert looks.take_counts() == [COUNT_SECONDS, STATEMENT_SECONDS]
    assert not await _is_refused(admission)


async def test_p9_an_estimate_of_half_a_queue_asks_for_no_count(
    looks: Looks, admission: Admission, registry: CollectorRegistry
) -> None:
    looks.estimated = SUSPECT - 1
    await admission.sample()
    assert looks.take_counts() == [COUNT_SECONDS]
    assert _pending(registry) == SUSPECT - 1

    looks.now += COUNT_AGAIN_SECONDS
    looks.estimated = SUSPECT
    await admission.sample()
    assert looks.take_counts() == [COUNT_SECONDS, STATEMENT_SECONDS]


async def test_p9_a_queue_that_is_counted_as_full_refuses(
    looks: Looks, admission: Admission, registry: CollectorRegistry
) -> None:
    looks.estimated, looks.counted = SUSPECT, FULL - 1
    await admission.sample()
    assert _pending(registry) == FULL - 1
    await _let_in(admission)
    assert await _is_refused(admission)


async def test_p9_what_is_let_in_during_a_long_count_is_added_to_it(looks: Looks, admission: Admission) -> None:
    looks.estimated, looks.counted = FULL, FULL - 3
    looks.meanwhile = lambda: _let_in(admission, 2)
    await admission.sample()
    await _let_in(admission)
    assert await _is_refused(admission)


async def test_p9_long_counts_take_a_small_part_of_the_time(looks: Looks, admission: Admission) -> None:
    """However long a queue stays above half of what it may hold."""
    looks.estimated = looks.counted = SUSPECT
    began = looks.now
    while looks.now < began + 3600:
        await admission.sample()
        looks.now += SAMPLE_SECONDS
    counts = looks.take_counts()
    assert counts.count(STATEMENT_SECONDS) > 10
    counting = sum(min(seconds, LONG_SECONDS) for seconds in counts)
    assert counting < 3600 * COUNT_PART * 1.1


async def test_p9_a_full_queue_stays_full_until_the_next_count(looks: Looks, admission: Admission) -> None:
    looks.estimated = looks.counted = FULL
    await admission.sample()
    looks.take_counts()
    await _sample_until_counts_are_due(admission, looks)
    assert await _is_refused(admission)


async def test_p9_a_queue_that_runs_empty_is_full_no_longer_than_to_the_next_estimate(
    looks: Looks, admission: Admission
) -> None:
    looks.estimated = looks.counted = FULL
    await admission.sample()
    looks.now += SAMPLE_SECONDS
    looks.take_counts()

    looks.estimated = 0
    await admission.sample()
    await _let_in(admission)
    # That the next one is too high again changes nothing.
    looks.estimated = FULL * 100
    await admission.sample()
    await _let_in(admission)

    assert looks.take_counts() == []


async def test_p9_a_refusal_asks_for_a_count_however_long_that_takes(looks: Looks, admission: Admission) -> None:
    """Or a queue that is emptied as fast as it is filled would count as full for as long as estimates are wrong."""
    looks.estimated = looks.counted = FULL
    await admission.sample()
    looks.take_counts()
    assert await _is_refused(admission)
    looks.counted = 0

    await _sample_until_counts_are_due(admission, looks)
    await admission.sample()

    assert looks.take_counts() == [STATEMENT_SECONDS]
    assert not await _is_refused(admission)


async def test_a_count_that_took_too_long_once_is_made_again_after_a_while(looks: Looks, admission: Admission) -> None:
    await admission.sample()
    looks.takes_seconds, looks.counted = 0.01, 7
    for _ in range(3):
        looks.now += COUNT_AGAIN_SECONDS / 2
        await admission.sample()
    assert looks.take_counts() == [COUNT_SECONDS] * 3


async def test_p9_an_outage_is_no_long_count(looks: Looks, admission: Admission) -> None:
    looks.is_down = True
    with pytest.raises(BackendUnavailable):
        await admission.sample()
    looks.is_down = False
    await admission.sample()
    assert looks.take_counts() == [COUNT_SECONDS]


async def test_p9_queues_that_another_gateway_has_opened_are_not_taken_for_more(db: Database) -> None:
    def in_queues(*names: str) -> list[NewTask]:
        return [replace(_task(), queue=name) for name in names]

    await Creations(db).create_tasks(in_queues("one", "two"))
    admission = Admission(db, GatewayMetrics(CollectorRegistry()), queues_max=3)
    with pytest.raises(InvalidFields) as caught:
        await admission.admit(in_queues("one", "two", "three", "four"))
    assert [violation.field for violation in caught.value.violations] == [
        "requests[2].task.queue",
        "requests[3].task.queue",
    ]
    await admission.admit(in_queues("one", "two", "three"))


@asynccontextmanager
async def sampling(admission: Admission) -> AsyncIterator[None]:
    task = asyncio.create_task(admission.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_what_takes_too_long_to_count_is_estimated(
    db: Database, registry: CollectorRegistry, eventually: Callable[..., Awaitable[Any]], monkeypatch: Any
) -> None:
    counts: list[float] = []

    async def give_up(_: Database, *, seconds: float) -> None:
        counts.append(seconds)

    monkeypatch.setattr(queues, "depths", give_up)
    monkeypatch.setattr(admitting, "SAMPLE_SECONDS", 0.01)
    creations = Creations(db)
    await creations.create_tasks([_task() for _ in range(7)])

    async with sampling(Admission(db, GatewayMetrics(registry))):
        await eventually(lambda: _pending(registry) == 7)
        await creations.create_tasks([_task()])
        await eventually(lambda: _pending(registry) == 8)

    assert set(counts) == {COUNT_SECONDS}

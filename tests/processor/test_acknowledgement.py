"""Rings whose tasks were claimed, or not."""

import pytest

from taskwire_processor.acknowledgement import acknowledge
from taskwire_processor.claimant import Claimant
from taskwire_shared.bus.ear import Ring
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.domain.ids import new_id
from taskwire_shared.store import claims, queues


class _Ring(Ring):
    __slots__ = ("became",)

    def __init__(self, *ids) -> None:
        self.ids = ids
        self.became = ""

    def ack(self) -> None:
        self.became += "acknowledged"

    def pass_on(self) -> None:
        self.became += "passed on"


@pytest.fixture
def claimant(db):
    return Claimant(db, new_id(), queues=None, due_slack_seconds=1.0)


async def test_rings_of_what_still_waits_are_passed_on(tasks, db, claimant):
    waiting, cancelled, claimed = await tasks.create_many("elsewhere", 3, ring=False)
    paused = await tasks.create("elsewhere", queue="paused", ring=False)
    await queues.pause_queue(db, "default", "paused")
    await db.execute("UPDATE tasks SET state = 6, finished_at = now() WHERE id = $1", cancelled)
    rings = [_Ring(claimed, waiting), _Ring(cancelled), _Ring(paused), _Ring(claimed)]
    await acknowledge(claimant, rings, [waiting, cancelled, paused])

    assert [ring.became for ring in rings] == ["passed on", "acknowledged", "acknowledged", "acknowledged"]


async def test_rings_are_acknowledged_where_nobody_says_what_still_waits(tasks, claimant, monkeypatch):
    (waiting,) = await tasks.create_many("elsewhere", 1, ring=False)

    async def fail(*_):
        raise BackendUnavailable

    monkeypatch.setattr(claims, "still_waiting", fail)
    ring = _Ring(waiting)
    await acknowledge(claimant, [ring], [waiting])

    assert ring.became == "acknowledged"


@pytest.mark.parametrize("count", [0, 2])
async def test_nobody_is_asked_where_nothing_was_left(claimant, monkeypatch, count):
    monkeypatch.delattr(claims, "still_waiting")
    rings = [_Ring() for _ in range(count)]
    await acknowledge(claimant, rings, [])

    assert [ring.became for ring in rings] == ["acknowledged"] * count

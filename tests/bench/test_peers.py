"""A peer is compared with what Taskwire did around it."""

from datetime import UTC, datetime

import pytest
from taskwire_bench.books import Audit
from taskwire_bench.peer_run import PeerRun
from taskwire_bench.rig import Run
from taskwire_bench.scenarios.peers import Pair


def _run(rate: float) -> Run:
    now = datetime.now(UTC)
    audit = Audit(tasks=1_000, events=3_000, repeated=0, first_created=now, last_created=now, last_finished=now)
    return Run(tasks=1_000, seconds=1_000 / rate, create_seconds=0.1, cpu={}, audit=audit)


def test_a_machine_that_gets_slower_favours_nobody() -> None:
    peer = PeerRun(rate=20_000.0, hand_in_rate=30_000.0, cpu={})

    assert Pair(peer, before=_run(22_000.0), after=_run(18_000.0)).ratio == pytest.approx(1.0)

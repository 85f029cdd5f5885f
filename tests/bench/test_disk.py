"""The disk is asked for small writes that have to reach it."""

import os

import pytest
from taskwire_bench import disk


def test_writes_take_some_time() -> None:
    found = disk.look(seconds=0.1)

    assert 0 < found.p50_ms <= found.slowest_ms


def test_a_write_that_is_held_up_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    synced = 0
    sync, clock = os.fdatasync, disk.time.perf_counter
    late = 0.0

    def hold_up(descriptor: int) -> None:
        nonlocal synced, late
        synced += 1
        sync(descriptor)
        late += 0.2 if synced == 2 else 0.0

    monkeypatch.setattr(os, "fdatasync", hold_up)
    monkeypatch.setattr(disk.time, "perf_counter", lambda: clock() + late)

    found = disk.look(seconds=0.1)

    assert synced > 2
    assert found.slowest_ms >= 200
    assert not found.is_even

"""The benchmark is not part of the wheel: its folder is put on the path for its own tests only."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from taskwire_bench.results import Result

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))


@pytest.fixture
def make_result() -> "Callable[..., Result]":
    """Make results that were measured under made-up conditions, with what else is given."""
    from taskwire_bench.conditions import Conditions
    from taskwire_bench.results import Result

    conditions = Conditions(
        commit="c",
        code="d",
        moment="2026-01-01T00:00:00+00:00",
        cores=2,
        processor="p",
        memory_gib=1.0,
        system="s",
        python="3.11",
        packages={},
        busy_cores_before=0.0,
    )
    return partial(Result, count=1, conditions=conditions)

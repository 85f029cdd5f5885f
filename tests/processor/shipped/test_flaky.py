"""The handler `flaky`."""

import pytest

from taskwire.testing import run
from taskwire_processor.shipped.flaky import flaky


@pytest.mark.parametrize(("attempt", "reason"), [(1, "FLAKY"), (2, "FLAKY"), (3, None)])
async def test_flaky_fails_as_often_as_asked(attempt, reason):
    outcome = await run(flaky, {"failures": 2}, attempt=attempt)

    assert (outcome.failure and outcome.failure.reason) == reason


async def test_flaky_refuses_other_input():
    outcome = await run(flaky, {"failures": "many"})

    assert (outcome.failure.reason, outcome.failure.retryable) == ("INVALID_INPUT", False)

"""The handler `sleep`."""

import pytest

from taskwire.testing import run
from taskwire_processor.shipped import sleep as shipped_sleep
from taskwire_processor.shipped.sleep import sleep


async def test_sleep_returns_the_length_of_its_input_and_reports():
    outcome = await run(sleep, {"seconds": 0.01})

    assert outcome.output.data == str(len(b'{"seconds":0.01}')).encode()
    assert [report.fraction for report in outcome.reports] == [1.0]


@pytest.mark.parametrize(
    "given", [None, b"", b"\xff", "text", {"seconds": -1}, {"seconds": True}, {"seconds": "1"}, {"seconds": 1e9}, [1]]
)
async def test_sleep_takes_anything_else_for_3_seconds(given, monkeypatch):
    slept = []

    async def note(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("asyncio.sleep", note)
    outcome = await run(sleep, given)

    assert sum(slept) == pytest.approx(3.0)
    assert outcome.failure is None
    assert shipped_sleep is sleep

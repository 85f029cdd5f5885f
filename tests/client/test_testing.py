"""A handler in a test behaves as it does in a processor."""

import asyncio

import pytest

import taskwire
from taskwire import testing


@taskwire.handler("greet")
async def greet(name: str, attempt: taskwire.Attempt) -> str:
    attempt.report(0.5, "half")
    return f"Hello, {name} ({attempt.attempt})"


@taskwire.handler("add", process=True)
def add(numbers: list[int]) -> int:
    return sum(numbers)


@taskwire.handler("hang")
async def hang() -> None:
    await asyncio.Event().wait()


@taskwire.handler("hang-in-thread")
def hang_in_thread(attempt: taskwire.Attempt) -> None:
    attempt.wait(30)


@taskwire.handler("stubborn")
async def stubborn(attempt: taskwire.Attempt) -> str:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "done anyway"


async def test_outcome_of_a_success() -> None:
    outcome = await testing.run(greet, "Ada", attempt=2)

    assert outcome.succeeded
    assert outcome.output == taskwire.Payload(b"Hello, Ada (2)", is_text=True)
    assert outcome.reports == (testing.Report(0.5, "half"),)


async def test_input_is_decoded_and_output_encoded() -> None:
    outcome = await testing.run(add, [1, 2, 3])

    assert outcome.output is not None
    assert outcome.output.json() == 6


async def test_input_that_does_not_fit() -> None:
    outcome = await testing.run(add, "one")

    assert not outcome.succeeded
    assert outcome.failure is not None
    assert outcome.failure.reason == "INVALID_INPUT"


@pytest.mark.parametrize("error", [ValueError("no"), StopIteration(), asyncio.CancelledError()], ids=repr)
async def test_exceptions_become_failures(error) -> None:
    @taskwire.handler("broken")
    async def broken() -> None:
        raise error

    @taskwire.handler("broken-in-thread")
    def broken_in_thread() -> None:
        raise error

    for handler in (broken, broken_in_thread):
        outcome = await testing.run(handler)
        assert outcome.failure is not None
        assert outcome.failure.reason == "UNHANDLED_EXCEPTION"


@pytest.mark.parametrize("handler", [hang, hang_in_thread], ids=repr)
async def test_cancel_stops_the_handler(handler) -> None:
    trial = testing.start(handler)
    trial.cancel()

    async with asyncio.timeout(5):
        outcome = await trial.outcome()
    assert outcome.cancelled
    assert not outcome.succeeded


async def test_success_beats_a_cancel() -> None:
    trial = testing.start(stubborn)
    await asyncio.sleep(0)
    trial.cancel()

    assert (await trial.outcome()).succeeded

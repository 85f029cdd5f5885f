"""What a handler sees of its attempt, and how it is told to stop."""

import asyncio
import threading

import pytest

from taskwire import Attempt, AttemptCancelled, Payload
from taskwire.attempt import PROGRESS_MESSAGE_CHARS_MAX
from taskwire_shared.domain import limits


def _attempt(**given) -> Attempt:
    return Attempt(task_id="t", type="x", **given)


def test_input_is_at_hand() -> None:
    attempt = _attempt(input=Payload(b'{"a":1}', is_text=True))

    assert (attempt.text, attempt.json()) == ('{"a":1}', {"a": 1})
    assert (_attempt().text, _attempt().json()) == ("", None)


@pytest.mark.parametrize(("given", "reported"), [(0.5, 0.5), (-1, 0.0), (7, 1.0), (float("nan"), 0.0)])
def test_progress_is_bounded(given, reported) -> None:
    reports: list[tuple[float, str]] = []
    _attempt(report=lambda *report: reports.append(report)).report(given, "m" * 1000)

    ((fraction, message),) = reports
    assert fraction == reported
    assert len(message) == PROGRESS_MESSAGE_CHARS_MAX == limits.PROGRESS_MESSAGE_CHARS_MAX


def test_progress_that_nobody_takes_is_dropped() -> None:
    _attempt().report(0.5)


def test_handler_learns_that_it_should_stop() -> None:
    attempt = _attempt()
    attempt.raise_if_cancelled()
    assert not attempt.cancelled

    attempt.stop()
    attempt.stop()

    assert attempt.cancelled
    with pytest.raises(AttemptCancelled):
        attempt.raise_if_cancelled()
    with pytest.raises(AttemptCancelled):
        attempt.wait(0)


def test_stop_is_not_swallowed_by_a_broad_except() -> None:
    assert not issubclass(AttemptCancelled, Exception)


def test_wait_ends_by_itself() -> None:
    _attempt().wait(0.001)


async def test_wait_is_woken_by_a_stop() -> None:
    attempt = _attempt()
    waiting = threading.Event()

    def sleep() -> str:
        waiting.set()
        try:
            attempt.wait(30)
        except AttemptCancelled:
            return "stopped"
        return "slept"

    async with asyncio.timeout(5):
        sleeping = asyncio.create_task(asyncio.to_thread(sleep))
        await asyncio.to_thread(waiting.wait)
        attempt.stop()
        assert await sleeping == "stopped"

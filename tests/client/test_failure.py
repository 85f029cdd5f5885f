"""A failure is always reported, whatever a handler puts into it."""

from datetime import timedelta

import pytest

from taskwire import TaskFailure, failure
from taskwire.failure import UNHANDLED_EXCEPTION, failure_of
from taskwire_shared.domain import limits


def test_limits_are_those_of_the_service() -> None:
    assert failure.REASON_CHARS_MAX == limits.FAILURE_REASON_CHARS_MAX
    assert failure.MESSAGE_CHARS_MAX == limits.FAILURE_MESSAGE_CHARS_MAX
    assert failure.METADATA_ENTRIES_MAX == limits.FAILURE_METADATA_ENTRIES_MAX
    assert failure.METADATA_CHARS_MAX == limits.FAILURE_METADATA_CHARS_MAX
    assert failure.RETRY_AFTER_SECONDS_MAX == limits.DURATION_SECONDS_MAX


@pytest.mark.parametrize(
    ("given", "reported"),
    [("OUT_OF_STOCK", "OUT_OF_STOCK"), ("card declined!", "CARD_DECLINED_"), ("", "FAILED"), ("A" * 99, "A" * 63)],
)
def test_reason_is_made_to_fit(given, reported) -> None:
    assert TaskFailure(given).reason == reported


def test_texts_are_made_to_fit() -> None:
    failed = TaskFailure("R", "a\0b\ud800" + "x" * 2000, {"k" * 300: "v" * 300} | {str(n): "" for n in range(20)})

    assert failed.message.startswith("a\N{REPLACEMENT CHARACTER}b?x")
    assert len(failed.message) == limits.FAILURE_MESSAGE_CHARS_MAX
    assert len(failed.metadata) == limits.FAILURE_METADATA_ENTRIES_MAX
    assert {len(text) for text in next(iter(failed.metadata.items()))} == {limits.FAILURE_METADATA_CHARS_MAX}


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (None, None),
        (2, 2.0),
        (timedelta(minutes=1), 60.0),
        (-5, 0.0),
        (float("nan"), 0.0),
        (float("inf"), failure.RETRY_AFTER_SECONDS_MAX),
    ],
)
def test_retry_after(given, seconds) -> None:
    assert TaskFailure("R", retry_after=given).retry_after_seconds == seconds


def test_other_exceptions_are_reported_with_their_class() -> None:
    reported = failure_of(KeyError("name"))

    assert (reported.reason, reported.message, reported.retryable) == (UNHANDLED_EXCEPTION, "'name'", True)
    assert reported.metadata == {"type": "builtins.KeyError"}


def test_failure_is_reported_as_it_is() -> None:
    failed = TaskFailure("R", retryable=False)

    assert failure_of(failed) is failed
    assert str(failed) == "R"
    assert str(TaskFailure("R", "why")) == "R: why"


def test_exception_that_cannot_describe_itself_is_reported() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError("no")

    assert failure_of(Broken()).message == "Broken"
    assert failure_of(ValueError()).message == "ValueError"


class _Unfinished(TaskFailure):
    def __init__(self) -> None:
        """Forget to call what it should."""


class _Odd(TaskFailure):
    def __init__(self) -> None:
        super().__init__("R")
        self.reason = 7  # type: ignore[assignment]


def test_subclass_that_lacks_what_is_reported_is_an_exception_like_others() -> None:
    for broken in (_Unfinished(), _Odd()):
        reported = failure_of(broken)

        assert (type(reported), reported.reason) == (TaskFailure, UNHANDLED_EXCEPTION)
        assert reported.metadata["type"].endswith(type(broken).__qualname__)


def test_what_was_changed_afterwards_is_made_to_fit() -> None:
    failed = TaskFailure("R")
    failed.message = "x" * 2000
    failed.metadata["count"] = 5  # type: ignore[assignment]

    reported = failure_of(failed)

    assert len(reported.message) == limits.FAILURE_MESSAGE_CHARS_MAX
    assert reported.metadata == {"count": "5"}


def test_what_a_task_group_raises_is_what_its_one_task_raised() -> None:
    declined = TaskFailure("CARD_DECLINED", retryable=False)

    assert failure_of(ExceptionGroup("unhandled errors", [ExceptionGroup("in a group", [declined])])) is declined
    assert failure_of(ExceptionGroup("two", [declined, KeyError()])).reason == UNHANDLED_EXCEPTION

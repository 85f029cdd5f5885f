"""The one table from errors to statuses."""

import inspect

import pytest

from taskwire.v1.task_service_pb2 import ErrorReason
from taskwire_gateway.rpc_errors import DETAILS_BYTES_MAX, TABLE, internal_error, rpc_error
from taskwire_shared.domain import errors
from taskwire_shared.domain.task import TaskState

REASONS = {name.removeprefix("ERROR_REASON_") for name, _ in ErrorReason.items()} - {"UNSPECIFIED"}

EXAMPLES = [
    errors.InvalidFields([errors.FieldViolation("f" * 500, "d" * 5_000)] * 100),
    errors.TaskNotFound("t"),
    errors.QueueNotFound("q"),
    errors.TaskConflict("t", 3),
    errors.TaskConflict(None),
    errors.TaskAlreadyFinished("t", TaskState.FAILED),
    errors.TaskNotRetryable("t", TaskState.RUNNING),
    errors.QueueFull("q", 7),
    errors.TooManyWatches(7),
    errors.Overloaded(),
    errors.ResumeTokenExpired(),
    errors.WatchTooSlow(),
    errors.WatchMoved(),
    errors.BackendUnavailable(),
    errors.Unauthenticated(),
    errors.PermissionDenied(),
]


def _raisable(base):
    for error in base.__subclasses__():
        yield from _raisable(error)
        if not error.__name__.startswith("_") and error is not errors.RetryLaterError:
            yield error


def test_every_error_of_the_domain_has_a_row():
    assert set(_raisable(errors.TaskwireError)) == set(TABLE)
    assert set(TABLE) == {type(error) for error in EXAMPLES}
    assert all(inspect.getmodule(error) is errors for error in TABLE)


def test_every_reason_is_one_of_the_api_and_each_is_used():
    assert {row.reason for row in TABLE.values()} | {"INTERNAL"} == REASONS


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_details_are_small_and_later_means_when(error):
    made = rpc_error(error)
    trailers = dict(made.trailers)
    assert len(trailers["grpc-status-details-bin"]) <= DETAILS_BYTES_MAX
    assert ("grpc-retry-pushback-ms" in trailers) == isinstance(error, errors.RetryLaterError)
    assert made.text == type(error).__doc__


def test_a_fault_of_ours_says_nothing_but_where_to_look():
    made = internal_error("abc")
    assert (made.code.name, made.reason) == ("INTERNAL", "INTERNAL")
    assert b"abc" in dict(made.trailers)["grpc-status-details-bin"]

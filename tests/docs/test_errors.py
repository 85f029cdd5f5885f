"""docs/errors.md, the protos and the gateway's table tell the same story."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from google.rpc import error_details_pb2 as details_pb2
from google.rpc.status_pb2 import Status

from taskwire.v1 import task_service_pb2
from taskwire_gateway import rpc_errors
from taskwire_shared.domain import errors, outcome
from taskwire_shared.domain.errors import TaskwireError
from taskwire_shared.domain.task import TaskState

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "errors.md").read_text()


class Row(NamedTuple):
    code: str
    metadata: set[str]
    details: set[str]


def _rows() -> dict[str, Row]:
    rows = {}
    for line in PAGE.split("## Tasks")[0].splitlines():
        cells = [re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:-1]]
        if len(cells) == 5 and cells[0]:
            rows[cells[0][0]] = Row(cells[1][0], set(cells[2]), set(cells[3]))
    return rows


DOCUMENTED = _rows()
EXAMPLES: list[TaskwireError] = [
    errors.InvalidFields([errors.FieldViolation("task.type", "is missing")]),
    errors.TaskNotFound("id"),
    errors.QueueNotFound("mail"),
    errors.TaskConflict("id", 3),
    errors.TaskAlreadyFinished("id", TaskState.SUCCEEDED),
    errors.TaskNotRetryable("id", TaskState.RUNNING),
    errors.QueueFull("mail", 7),
    errors.TooManyWatches(7),
    errors.Overloaded(),
    errors.ResumeTokenExpired(),
    errors.WatchTooSlow(),
    errors.WatchMoved(),
    errors.BackendUnavailable(),
    errors.Unauthenticated(),
    errors.PermissionDenied(),
]


def _status(end: rpc_errors.RpcError) -> Status:
    return Status.FromString(dict(end.trailers)["grpc-status-details-bin"])


def _info(status: Status) -> details_pb2.ErrorInfo:
    info = details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info


def test_every_reason_of_the_api_is_documented() -> None:
    reasons = {name.removeprefix("ERROR_REASON_") for name, number in task_service_pb2.ErrorReason.items() if number}

    assert DOCUMENTED.keys() == reasons


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_caller_gets_what_is_documented(error: TaskwireError) -> None:
    end = rpc_errors.rpc_error(error)
    status = _status(end)
    info = _info(status)

    assert DOCUMENTED[info.reason] == Row(
        end.code.name,
        set(info.metadata),
        {detail.TypeName().removeprefix("google.rpc.") for detail in status.details[1:]},
    )


def test_every_error_has_an_example() -> None:
    assert {type(error) for error in EXAMPLES} == rpc_errors.TABLE.keys()


def test_fault_of_the_service_is_documented() -> None:
    end = rpc_errors.internal_error("42")

    assert DOCUMENTED["INTERNAL"] == Row(end.code.name, set(_info(_status(end)).metadata), set())


def test_failures_of_the_service_are_documented() -> None:
    own = {outcome.EXPIRED, outcome.ATTEMPT_TIMED_OUT, outcome.WORKER_LOST, outcome.ATTEMPTS_EXHAUSTED}

    assert own <= set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE.split("## Tasks")[1], re.MULTILINE))

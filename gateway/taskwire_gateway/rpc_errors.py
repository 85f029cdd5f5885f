"""What a caller is told when a request fails: the one table from errors to statuses."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details_pb2
from google.rpc.status_pb2 import Status
from msgspec import Struct

from taskwire_shared.domain import errors
from taskwire_shared.domain.errors import TaskwireError

DOMAIN = "taskwire.dev"
DETAILS_BYTES_MAX = 4 * 1024
"""Trailers as a whole may have 8 KiB with common proxies, and base64 adds a third."""
_VIOLATIONS_MAX = 20
_FIELD_CHARS_MAX = 120
_DESCRIPTION_CHARS_MAX = 200
_MOVED_SECONDS_MAX = 2.0
"""Watches that are ended together come back spread over this long."""
_INTERNAL_TEXT = "The service has a fault. Its log has the details under this log_id."

Trailers = tuple[tuple[str, str | bytes], ...]


class RpcError(Struct, frozen=True):
    """The end of a call that failed."""

    code: grpc.StatusCode
    text: str
    reason: str
    trailers: Trailers


class _Row(Struct, frozen=True):
    code: grpc.StatusCode
    reason: str
    metadata: Callable[[Any], Mapping[str, str]] = lambda _: {}
    details: Callable[[Any], list[Message]] = lambda _: []


def rpc_error(error: TaskwireError) -> RpcError:
    """Turn an error of the domain into what the caller gets."""
    row = TABLE[type(error)]
    info = details_pb2.ErrorInfo(reason=row.reason, domain=DOMAIN, metadata=row.metadata(error))
    return _end(row.code, str(error), info, row.details(error))


def internal_error(log_id: str) -> RpcError:
    """Tell the caller that this is our fault, and under which `log_id` we find it."""
    info = details_pb2.ErrorInfo(reason="INTERNAL", domain=DOMAIN, metadata={"log_id": log_id})
    return _end(grpc.StatusCode.INTERNAL, _INTERNAL_TEXT, info, [])


def _end(code: grpc.StatusCode, text: str, info: details_pb2.ErrorInfo, details: list[Message]) -> RpcError:
    status = Status(code=code.value[0], message=text, details=[_packed(info), *map(_packed, details)])
    trailers: list[tuple[str, str | bytes]] = [("grpc-status-details-bin", status.SerializeToString())]
    # The retry policy of gRPC clients reads this one (gRFC A6), people and our client read the detail.
    trailers += [
        ("grpc-retry-pushback-ms", str(detail.retry_delay.ToMilliseconds()))
        for detail in details
        if isinstance(detail, details_pb2.RetryInfo)
    ]
    return RpcError(code, text, info.reason, tuple(trailers))


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def _count_of_violations(error: errors.InvalidFields) -> dict[str, str]:
    return {"violation_count": str(len(error.violations))}


def _bad_request(error: errors.InvalidFields) -> list[Message]:
    shown = [
        details_pb2.BadRequest.FieldViolation(
            field=violation.field[:_FIELD_CHARS_MAX], description=violation.description[:_DESCRIPTION_CHARS_MAX]
        )
        for violation in error.violations[:_VIOLATIONS_MAX]
    ]
    bad_request = details_pb2.BadRequest(field_violations=shown)
    while bad_request.ByteSize() > DETAILS_BYTES_MAX * 3 // 4:
        del bad_request.field_violations[-1]
    return [bad_request]


def _task_resource(error: errors.TaskNotFound) -> list[Message]:
    return [details_pb2.ResourceInfo(resource_type="taskwire.v1.Task", resource_name=error.task_id)]


def _queue_resource(error: errors.QueueNotFound) -> list[Message]:
    return [details_pb2.ResourceInfo(resource_type="taskwire.v1.Queue", resource_name=error.queue)]


def _conflict_metadata(error: errors.TaskConflict) -> dict[str, str]:
    facts = {"task_id": error.task_id, "index": error.index}
    return {name: str(value) for name, value in facts.items() if value is not None}


def _state_metadata(error: errors.TaskAlreadyFinished | errors.TaskNotRetryable) -> dict[str, str]:
    return {"task_id": error.task_id, "state": f"TASK_STATE_{error.state.name}"}


def _state_precondition(error: errors.TaskAlreadyFinished | errors.TaskNotRetryable) -> list[Message]:
    violation = details_pb2.PreconditionFailure.Violation(
        type="TASK_STATE", subject=error.task_id, description=f"The task is {error.state.name}."
    )
    return [details_pb2.PreconditionFailure(violations=[violation])]


def _retry_info(error: errors.RetryLaterError) -> list[Message]:
    delay = Duration()
    delay.FromMilliseconds(round(error.retry_after_seconds * 1000))
    return [details_pb2.RetryInfo(retry_delay=delay)]


def _queue_quota(error: errors.QueueFull) -> list[Message]:
    violation = details_pb2.QuotaFailure.Violation(
        subject=f"queue:{error.queue}", description=f"At most {error.limit} tasks may wait."
    )
    return [*_retry_info(error), details_pb2.QuotaFailure(violations=[violation])]


def _moved_info(_: errors.WatchMoved) -> list[Message]:
    delay = Duration()
    delay.FromMilliseconds(round(random.uniform(0, _MOVED_SECONDS_MAX) * 1000))  # noqa: S311
    return [details_pb2.RetryInfo(retry_delay=delay)]


TABLE: dict[type[TaskwireError], _Row] = {
    errors.InvalidFields: _Row(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS", _count_of_violations, _bad_request),
    errors.TaskNotFound: _Row(
        grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND", lambda error: {"task_id": error.task_id}, _task_resource
    ),
    errors.QueueNotFound: _Row(
        grpc.StatusCode.NOT_FOUND, "QUEUE_NOT_FOUND", lambda error: {"queue": error.queue}, _queue_resource
    ),
    errors.TaskConflict: _Row(grpc.StatusCode.ALREADY_EXISTS, "TASK_CONFLICT", _conflict_metadata),
    errors.TaskAlreadyFinished: _Row(
        grpc.StatusCode.FAILED_PRECONDITION, "TASK_ALREADY_FINISHED", _state_metadata, _state_precondition
    ),
    errors.TaskNotRetryable: _Row(
        grpc.StatusCode.FAILED_PRECONDITION, "TASK_NOT_RETRYABLE", _state_metadata, _state_precondition
    ),
    errors.QueueFull: _Row(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "QUEUE_FULL",
        lambda error: {"queue": error.queue, "limit": str(error.limit)},
        _queue_quota,
    ),
    errors.TooManyWatches: _Row(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "TOO_MANY_WATCHES",
        lambda error: {"limit": str(error.limit)},
        _retry_info,
    ),
    errors.Overloaded: _Row(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", details=_retry_info),
    errors.ResumeTokenExpired: _Row(grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_EXPIRED"),
    errors.WatchTooSlow: _Row(grpc.StatusCode.ABORTED, "WATCH_TOO_SLOW"),
    errors.WatchMoved: _Row(grpc.StatusCode.UNAVAILABLE, "WATCH_MOVED", details=_moved_info),
    errors.BackendUnavailable: _Row(grpc.StatusCode.UNAVAILABLE, "BACKEND_UNAVAILABLE", details=_retry_info),
    errors.Unauthenticated: _Row(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
    errors.PermissionDenied: _Row(grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"),
}

"""What can go wrong with a call.

TaskwireError
  InvalidFields          a field is not valid                          INVALID_ARGUMENT
  NotFound                                                             NOT_FOUND
    TaskNotFound         there is no such task
    QueueNotFound        there is no such queue
  TaskConflict           the id or key belongs to another task         ALREADY_EXISTS
  WrongState                                                           FAILED_PRECONDITION
    TaskAlreadyFinished  too late to cancel
    TaskNotRetryable     only a failed or cancelled task is repeated
  NotAllowed
    Unauthenticated      the credentials are missing or not valid      UNAUTHENTICATED
    PermissionDenied     not allowed                                   PERMISSION_DENIED
  ResumeTokenExpired     list, then watch anew                         OUT_OF_RANGE
  RetryLater             the same call may succeed later
    QueueFull            the queue holds all it may                    RESOURCE_EXHAUSTED
    TooManyWatches       the server has all the watches it takes       RESOURCE_EXHAUSTED
    Overloaded           the service has all the work it takes         RESOURCE_EXHAUSTED
    Unavailable          the service cannot be reached                 UNAVAILABLE
      BackendUnavailable   a store behind it does not answer           UNAVAILABLE
      WatchMoved           watch again (the client does)               UNAVAILABLE
    WatchTooSlow         watch again (the client does)                 ABORTED
    DeadlineExceeded     no answer in time; it may have happened       DEADLINE_EXCEEDED
  InternalError          a fault of the service                        INTERNAL
  ClientClosed           the client was closed                         CANCELLED

A code and reason that this release does not know become a plain `TaskwireError`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from msgspec import Struct

DOMAIN = "taskwire.dev"
_DETAILS_TRAILER = "grpc-status-details-bin"

M = TypeVar("M", bound=Message)


class FieldViolation(Struct, frozen=True):
    """What is wrong with one field, named by its path."""

    field: str
    description: str


class ErrorFacts(Struct, frozen=True):
    """What a status says."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    """A value of `taskwire.v1.ErrorReason` without its prefix; empty when gRPC itself made the error."""
    metadata: Mapping[str, str] = {}
    violations: tuple[FieldViolation, ...] = ()
    retry_after_seconds: float | None = None


class TaskwireError(Exception):
    """A call failed."""

    def __init__(self, facts: ErrorFacts) -> None:
        super().__init__(facts)
        self.facts = facts
        self.sent_ids: tuple[str, ...] = ()
        """The ids that a `create`, `create_many` or `retry` gave its new tasks: with them it can be repeated safely."""

    def __str__(self) -> str:
        return self.facts.message or self.facts.code.name

    @property
    def code(self) -> grpc.StatusCode:
        """The status code."""
        return self.facts.code

    @property
    def reason(self) -> str:
        """The value of `ErrorReason`, empty when gRPC itself made the error."""
        return self.facts.reason

    @property
    def metadata(self) -> Mapping[str, str]:
        """The values that belong to the reason."""
        return self.facts.metadata

    @property
    def task_id(self) -> str | None:
        """The task that the error is about, where it names one."""
        return self.facts.metadata.get("task_id")


class InvalidFields(TaskwireError):
    """The request has fields that are not valid."""

    def __str__(self) -> str:
        return "; ".join(f"{one.field}: {one.description}" for one in self.violations) or super().__str__()

    @property
    def violations(self) -> tuple[FieldViolation, ...]:
        """Every field that is not valid."""
        return self.facts.violations


class NotFound(TaskwireError):
    """There is no such thing."""


class TaskNotFound(NotFound):
    """There is no such task."""


class QueueNotFound(NotFound):
    """There is no such queue."""


class TaskConflict(TaskwireError):
    """Another task has this task_id or idempotency_key."""

    @property
    def index(self) -> int | None:
        """The position in the batch of the task that is in conflict."""
        index = self.facts.metadata.get("index", "")
        return int(index) if index.isdecimal() else None


class WrongState(TaskwireError):
    """The task is not in a state that allows this. The state is in the metadata."""


class TaskAlreadyFinished(WrongState):
    """The task has already succeeded or failed."""


class TaskNotRetryable(WrongState):
    """Only a task that has failed or was cancelled can be repeated."""


class NotAllowed(TaskwireError):
    """The caller may not do this."""


class Unauthenticated(NotAllowed):
    """The credentials are missing or not valid."""


class PermissionDenied(NotAllowed):
    """This is not allowed."""


class ResumeTokenExpired(TaskwireError):
    """The position is no longer kept: list, then watch anew."""


class RetryLater(TaskwireError):
    """The same call may succeed later.

    Of a `create` that call has the same `task_id` (see `sent_ids`) or `idempotency_key`. Without, it is a new task.
    """

    @property
    def retry_after_seconds(self) -> float | None:
        """How long the service asks to wait, where it says so."""
        return self.facts.retry_after_seconds


class QueueFull(RetryLater):
    """The queue holds as many waiting tasks as it may."""


class TooManyWatches(RetryLater):
    """The server has as many open watches as it takes on."""


class Overloaded(RetryLater):
    """The service has more work in hand than it takes on."""


class Unavailable(RetryLater):
    """The service cannot be reached."""


class BackendUnavailable(Unavailable):
    """A store behind the service does not answer."""


class WatchMoved(Unavailable):
    """The watch was ended to spread load."""


class WatchTooSlow(RetryLater):
    """The watch was read too slowly."""


class DeadlineExceeded(RetryLater):
    """There was no answer in time. What was asked for may have happened."""

    def __str__(self) -> str:
        return "there was no answer in time; what was asked for may have happened"


class InternalError(TaskwireError):
    """A fault of the service. `metadata["log_id"]` finds it in the service's log."""


class ClientClosed(TaskwireError):
    """The client was closed before or during the call. What was asked for may have happened."""


BY_REASON: dict[str, type[TaskwireError]] = {
    "INVALID_FIELDS": InvalidFields,
    "TASK_NOT_FOUND": TaskNotFound,
    "QUEUE_NOT_FOUND": QueueNotFound,
    "TASK_CONFLICT": TaskConflict,
    "TASK_ALREADY_FINISHED": TaskAlreadyFinished,
    "TASK_NOT_RETRYABLE": TaskNotRetryable,
    "QUEUE_FULL": QueueFull,
    "TOO_MANY_WATCHES": TooManyWatches,
    "OVERLOADED": Overloaded,
    "RESUME_TOKEN_EXPIRED": ResumeTokenExpired,
    "WATCH_TOO_SLOW": WatchTooSlow,
    "WATCH_MOVED": WatchMoved,
    "BACKEND_UNAVAILABLE": BackendUnavailable,
    "UNAUTHENTICATED": Unauthenticated,
    "PERMISSION_DENIED": PermissionDenied,
    "INTERNAL": InternalError,
}
_BY_CODE: dict[grpc.StatusCode, type[TaskwireError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidFields,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: WrongState,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.INTERNAL: InternalError,
}


def error_from(error: grpc.RpcError) -> TaskwireError:
    """Make an exception of ours of one of gRPC's: by the reason, else by the code."""
    facts = _facts(error)
    kind = BY_REASON.get(facts.reason) or _BY_CODE.get(facts.code, TaskwireError)
    return kind(facts)


def _facts(error: grpc.RpcError) -> ErrorFacts:
    code, message = error.code(), error.details() or ""
    status = _status(error)
    info = _detail(status, error_details_pb2.ErrorInfo)
    violations = _detail(status, error_details_pb2.BadRequest)
    is_ours = info.domain == DOMAIN
    return ErrorFacts(
        code=code,
        message=status.message or message,
        reason=info.reason if is_ours else "",
        metadata=dict(info.metadata) if is_ours else {},
        violations=tuple(FieldViolation(one.field, one.description) for one in violations.field_violations),
        retry_after_seconds=_seconds(_detail(status, error_details_pb2.RetryInfo)),
    )


def _detail(status: status_pb2.Status, kind: type[M]) -> M:
    """Return the first detail of this kind that can be read, else an empty one: the error itself matters more."""
    for detail in status.details:
        message = kind()
        try:
            if detail.Unpack(message):
                return message
        except DecodeError:
            continue
    return kind()


def _seconds(retry: error_details_pb2.RetryInfo) -> float | None:
    if not retry.HasField("retry_delay"):
        return None
    return float(retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9)


def _status(error: grpc.RpcError) -> status_pb2.Status:
    """Return the status with details from the trailers, empty when there is none or it cannot be read."""
    # The stubs call a pair what is a sequence of pairs.
    trailers: Iterable[tuple[str, Any]] = error.trailing_metadata() or ()  # type: ignore[assignment]
    for key, value in trailers:
        if key == _DETAILS_TRAILER:
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status()

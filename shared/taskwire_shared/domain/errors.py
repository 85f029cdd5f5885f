"""What can go wrong with a request, without a word about gRPC.

TaskwireError
  InvalidFields
  TaskNotFound
  QueueNotFound
  TaskConflict
  TaskAlreadyFinished
  TaskNotRetryable
  QueueFull
  TooManyWatches
  Overloaded
  ResumeTokenExpired
  WatchTooSlow
  WatchMoved
  BackendUnavailable
  Unauthenticated
  PermissionDenied

The docstring of a class is its message for people. Attributes carry the facts. The gateway turns each class into a
status in one table.
"""

from typing import ClassVar

from msgspec import Struct

from taskwire_shared.domain.task import TaskState


class TaskwireError(Exception):
    """The request failed."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class FieldViolation(Struct, frozen=True):
    """What is wrong with one field, named by its path, for example `requests[3].task.queue`."""

    field: str
    description: str


class InvalidFields(TaskwireError):
    """The request has fields that are not valid."""

    def __init__(self, violations: list[FieldViolation]) -> None:
        super().__init__()
        self.violations = violations


class TaskNotFound(TaskwireError):
    """There is no such task."""

    def __init__(self, task_id: str) -> None:
        super().__init__()
        self.task_id = task_id


class QueueNotFound(TaskwireError):
    """There is no such queue."""

    def __init__(self, queue: str) -> None:
        super().__init__()
        self.queue = queue


class TaskConflict(TaskwireError):
    """Another task has this task_id or idempotency_key."""

    def __init__(self, task_id: str | None, index: int | None = None) -> None:
        """Keep the facts: `task_id` is None where the other task belongs to another tenant."""
        super().__init__()
        self.task_id = task_id
        self.index = index


class _WrongState(TaskwireError):
    """The task is not in a state that allows this."""

    def __init__(self, task_id: str, state: TaskState) -> None:
        super().__init__()
        self.task_id = task_id
        self.state = state


class TaskAlreadyFinished(_WrongState):
    """The task has already succeeded or failed."""


class TaskNotRetryable(_WrongState):
    """Only a task that has failed or was cancelled can be repeated."""


class RetryLaterError(TaskwireError):
    """The request can be repeated after a while."""

    retry_after_seconds: ClassVar[float] = 1.0


class QueueFull(RetryLaterError):
    """The queue holds as many waiting tasks as it may."""

    def __init__(self, queue: str, limit: int) -> None:
        super().__init__()
        self.queue = queue
        self.limit = limit


class TooManyWatches(RetryLaterError):
    """This server has as many open watches as it takes on."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit


class Overloaded(RetryLaterError):
    """The service has more work in hand than it takes on."""


class ResumeTokenExpired(TaskwireError):
    """The position is no longer kept: list, then watch anew."""


class WatchTooSlow(TaskwireError):
    """The caller reads too slowly: watch again from the last resume token."""


class WatchMoved(RetryLaterError):
    """The watch is ended to spread load: watch again."""


class BackendUnavailable(RetryLaterError):
    """A store behind the service does not answer: repeat later."""


class Unauthenticated(TaskwireError):
    """The credentials are missing or not valid."""


class PermissionDenied(TaskwireError):
    """This is not allowed."""

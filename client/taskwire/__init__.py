"""Taskwire for Python: write handlers, and create, watch and cancel tasks.

The handler side needs no gRPC, so the client is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from taskwire.attempt import Attempt
from taskwire.failure import AttemptCancelled, TaskFailure
from taskwire.handlers import Handler, handler
from taskwire.payload import Payload

if TYPE_CHECKING:
    from taskwire import errors
    from taskwire.client import Client
    from taskwire.requests import NewTask, Selector
    from taskwire.task import Failure, Progress, QueueInfo, TaskInfo, TaskPriority, TaskState, WaitReason
    from taskwire.watching import Changes

_LATE = {
    "Changes": "taskwire.watching",
    "Client": "taskwire.client",
    "Failure": "taskwire.task",
    "NewTask": "taskwire.requests",
    "Progress": "taskwire.task",
    "QueueInfo": "taskwire.task",
    "Selector": "taskwire.requests",
    "TaskInfo": "taskwire.task",
    "TaskPriority": "taskwire.task",
    "TaskState": "taskwire.task",
    "WaitReason": "taskwire.task",
}
_LATE_MODULES = frozenset({"errors"})

__all__ = [
    "Attempt",
    "AttemptCancelled",
    "Changes",
    "Client",
    "Failure",
    "Handler",
    "NewTask",
    "Payload",
    "Progress",
    "QueueInfo",
    "Selector",
    "TaskFailure",
    "TaskInfo",
    "TaskPriority",
    "TaskState",
    "WaitReason",
    "errors",
    "handler",
]


def __getattr__(name: str) -> Any:
    if name in _LATE_MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATE[name]), name)

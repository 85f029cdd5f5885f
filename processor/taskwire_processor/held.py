"""An attempt that this processor holds."""

from enum import Enum, auto
from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct

from taskwire_shared.domain.outcome import Fence
from taskwire_shared.domain.task import ClaimedTask

if TYPE_CHECKING:
    from taskwire_processor.runner_process import RunnerProcess


class StopReason(Enum):
    """Why a handler was told to stop."""

    CANCELLED = auto()
    """The caller asked for it."""
    TIMED_OUT = auto()
    """The attempt took longer than it may."""
    DRAINED = auto()
    """This processor is about to end."""
    LOST = auto()
    """The task is no longer ours, so that nothing this attempt says counts."""


class Held(Struct, eq=False):
    """A claimed attempt, from the claim until its handler has ended."""

    key: int
    """The number that control and runner call it by."""
    task: ClaimedTask
    fence: Fence
    """What its outcome is guarded by."""
    since: float
    """When the claim was answered, in seconds of the loop's clock."""
    runner: "RunnerProcess | None" = None
    """Where it runs; None while it waits for a runner."""
    stop: StopReason | None = None
    """Why its handler was told to stop; None where it was not."""
    deadline: float = inf
    """When it is to be stopped, or when its process is to be ended, in seconds of the loop's clock."""
    ended_at: float = inf
    """When its handler ended, in seconds of the same clock."""
    is_over: bool = False
    """Whether its handler has ended, one way or another."""

    @classmethod
    def of(cls, key: int, task: ClaimedTask, since: float) -> "Held":
        """Take in hand what was claimed."""
        return cls(key, task, Fence(task.id, task.attempt), since)

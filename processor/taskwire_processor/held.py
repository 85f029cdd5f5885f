"""An attempt that this processor holds."""

from enum import Enum, auto
from math import inf
from typing import TYPE_CHECKING

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


class Held:
    """A claimed attempt, from the claim until its handler has ended."""

    __slots__ = ("deadline", "ended_at", "is_over", "key", "runner", "since", "stop", "task")

    def __init__(self, key: int, task: ClaimedTask, since: float) -> None:
        self.key = key
        """The number that control and runner call it by."""
        self.task = task
        self.since = since
        """When the claim was answered, in seconds of the loop's clock."""
        self.runner: RunnerProcess | None = None
        """Where it runs; None while it waits for a runner."""
        self.stop: StopReason | None = None
        """Why its handler was told to stop; None where it was not."""
        self.deadline = inf
        """When it is to be stopped, or when its process is to be ended, in seconds of the loop's clock."""
        self.ended_at = since
        """When its handler ended, in seconds of the same clock."""
        self.is_over = False
        """Whether its handler has ended, one way or another."""

    @property
    def fence(self) -> Fence:
        """Return what its outcome is guarded by."""
        return Fence(self.task.id, self.task.attempt)

"""What processes have used, read from the operating system."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

import psutil

Roles = Mapping[str, Sequence[int]]
"""The processes that play each role, each standing for all it has started."""


class Usage:
    """CPU seconds per role since a moment."""

    def __init__(self, roles: Roles) -> None:
        """Start to count now."""
        self._roles = roles
        self._before = self._seconds()

    def since(self) -> dict[str, float]:
        """Return the CPU seconds, user and system, that each role has used since the start."""
        now = self._seconds()
        return {role: now[role] - self._before[role] for role in now}

    def _seconds(self) -> dict[str, float]:
        return {role: sum(tree_seconds(pid) for pid in pids) for role, pids in self._roles.items()}


def tree_seconds(pid: int) -> float:
    """Return the CPU seconds of a process, of what it has started, and of those among them that have ended."""
    total = 0.0
    for process in _tree(pid):
        with suppress(psutil.Error):
            times = process.cpu_times()
            # The times of the children are of those that have ended and were waited for: none counts twice.
            total += times.user + times.system + times.children_user + times.children_system
    return total


def tree_bytes(pid: int) -> int:
    """Return the memory of a process and of what it has started that nobody else shares.

    Not to be asked of Postgres under load: the kernel walks through all pages of each backend for it, a quarter of a
    second of a core with 1 GB of shared buffers in use.
    """
    total = 0
    for process in _tree(pid):
        with suppress(psutil.Error):
            total += process.memory_full_info().uss
    return total


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []

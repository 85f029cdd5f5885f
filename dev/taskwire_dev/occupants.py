"""Processes that work in a folder, for example because whoever started them was killed.

Postgres and NATS are started with their working folder in their data, so that it tells whose they are even after a
number in a pid file has been given to another process.
"""

import time
from contextlib import suppress
from pathlib import Path

import psutil

_POLL_SECONDS = 0.02


def occupants(folder: Path) -> list[psutil.Process]:
    """Return the processes whose working folder is `folder` or lies in it, as far as this user may see them."""
    home = folder.resolve()
    return [process for process in psutil.process_iter() if _works_in(process, home)]


def _works_in(process: psutil.Process, home: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(home)
    except (psutil.Error, OSError):
        return False


def evict(folder: Path, *, patience_seconds: float) -> list[psutil.Process]:
    """End the processes in `folder`, at last with SIGKILL. Return those that are still there.

    Blocks: for the start of a program, before its loop has anything else to do.
    """
    remaining = occupants(folder)
    _each(remaining, "terminate")
    _, remaining = psutil.wait_procs(remaining, timeout=patience_seconds)
    remaining = sorted({*remaining, *occupants(folder)}, key=lambda process: process.pid)
    _each(remaining, "kill")
    _, remaining = psutil.wait_procs(remaining, timeout=patience_seconds)
    return list(remaining)


def _each(processes: list[psutil.Process], what: str) -> None:
    for process in processes:
        with suppress(psutil.Error):
            getattr(process, what)()


def wait_until_left(folder: Path, *, patience_seconds: float) -> list[psutil.Process]:
    """Wait for the processes in `folder` to end by themselves. Return those that are still there."""
    deadline = time.monotonic() + patience_seconds
    while (remaining := occupants(folder)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return remaining

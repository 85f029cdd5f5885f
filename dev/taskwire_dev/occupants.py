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
    for how in ("terminate", "kill"):
        for process in remaining:
            with suppress(psutil.Error):
                getattr(process, how)()
        remaining = _wait_until_left(folder, patience_seconds)
    return remaining


def _wait_until_left(folder: Path, patience_seconds: float) -> list[psutil.Process]:
    # By looking, since waiting for a child of ours would take its exit code from whoever started it.
    deadline = time.monotonic() + patience_seconds
    while (remaining := occupants(folder)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return remaining

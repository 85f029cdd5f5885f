"""Signals to a process and to everything below it, wherever it has moved to."""

import signal
from contextlib import suppress

import psutil


def signal_tree(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process and its descendants, sessions of their own included."""
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

"""How a runner makes sure that it does not outlive its control."""

import ctypes
import os
import signal
import sys
from types import FrameType

_PR_SET_PDEATHSIG = 1
"""From linux/prctl.h: the signal that a process gets when the thread that started it dies."""


def die_with(parent: int) -> None:
    """Have this process killed when `parent` dies, at once where the system can do that (Linux).

    Elsewhere the end of the connection ends the runner, once its loop turns.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # It died before the call above.
        os._exit(1)


def leave_signals_to_control() -> None:
    """Let signals for the whole group or control group end nothing here: control decides when handlers stop.

    A handler in Python and not SIG_IGN, which programs started by handlers would inherit.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ignore)


def _ignore(number: int, frame: FrameType | None) -> None:
    del number, frame

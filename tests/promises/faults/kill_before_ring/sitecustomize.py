"""Planted into a gateway by its PYTHONPATH: it dies after the commit, at the moment it would ring."""

import os
import signal
from collections.abc import Iterable

from taskwire_shared.bus import rings


def _die(_: rings.Ringer, ready: Iterable[object]) -> None:
    # The sweeper rings too, for nothing most of the time.
    if any(True for _ in ready):
        os.kill(os.getpid(), signal.SIGKILL)


rings.Ringer.ring = _die  # type: ignore[assignment,method-assign]

"""How long the disk takes for next to nothing, while nobody else asks anything of it.

Every commit waits for the disk. One that lets 4 KiB wait for a tenth of a second now and then, as those of virtual
machines do, decides by itself what the slowest hundredth of anything takes.
"""

import os
import tempfile
import time

from msgspec import Struct

from taskwire_bench.spread import percentile

STALL_MS = 40.0
"""A write that takes longer says that the disk stalls. Of 10,000 of 64 KiB on an idle machine none took more than 28 ms
in a good hour, and in a bad one a thousandth more than 50, up to 139."""
LOOK_SECONDS = 10.0
"""Stalls are rare: in that bad hour there was one every six seconds."""
_PAUSE_SECONDS = 0.01
_WRITE_BYTES = 4096
_FILE_BYTES = 16 * 1024**2
"""As large as a file of Postgres' log, and written over in the same way: nothing has to be allocated."""


class Look(Struct, frozen=True, kw_only=True):
    """What small writes took that had to reach the disk."""

    p50_ms: float
    slowest_ms: float

    @property
    def is_even(self) -> bool:
        """Tell whether no write was held up."""
        return self.slowest_ms <= STALL_MS


def look(seconds: float = LOOK_SECONDS) -> Look:
    """Write to where the benchmark's servers will, for so long. It blocks."""
    took: list[float] = []
    with tempfile.TemporaryFile(prefix="taskwire-bench-") as file:
        file.write(os.urandom(_FILE_BYTES))
        file.flush()
        os.fsync(file.fileno())
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            took.append(_write(file.fileno(), len(took) * _WRITE_BYTES % _FILE_BYTES))
            time.sleep(_PAUSE_SECONDS)
    return Look(p50_ms=percentile(took, 0.5), slowest_ms=max(took))


def _write(descriptor: int, place: int) -> float:
    start = time.perf_counter()
    os.pwrite(descriptor, bytes(_WRITE_BYTES), place)
    os.fdatasync(descriptor)
    return (time.perf_counter() - start) * 1000

"""Clocks that are wrong."""

from pathlib import Path
from typing import ClassVar

from taskwire_chaos.faults.fault import Fault

LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
"""From Debian's package libfaketime; without it this fault does nothing, and the report says so."""
_SHIFTS = ("-1h", "+1h", "-1d", "+1d")


class ShiftClock(Fault):
    """A processor is started again with a clock that is hours or a day off. It keeps it until it is killed."""

    name: ClassVar[str] = "shift clock"
    weight: ClassVar[int] = 3
    lacks: ClassVar[str] = "" if LIBRARY else "Debian's package libfaketime"

    async def strike(self) -> None:
        """See `Fault`."""
        keeper = self.choose(self.site.processors)
        if keeper is None or LIBRARY is None:
            return
        async with self.site.taking(keeper.name):
            shift = self.random.choice(_SHIFTS)
            self.note(f"{shift} on {keeper.name}")
            keeper.extra = {
                "LD_PRELOAD": str(LIBRARY),
                "FAKETIME": shift,
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "DONT_FAKE_MONOTONIC": "1",
            }
            await keeper.kill()

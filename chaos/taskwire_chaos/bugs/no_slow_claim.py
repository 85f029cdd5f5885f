"""Nobody looks for tasks that wait without a ring."""

from typing import Any

from taskwire_chaos.planted.replacing import replace


def plant() -> None:
    """See the module."""
    from taskwire_processor.claimer import Claimer

    async def scan(claimer: Any) -> None:
        await claimer._closed.wait()

    replace(Claimer, "_scan_now_and_then", lambda _: scan)

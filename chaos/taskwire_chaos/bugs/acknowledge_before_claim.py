"""S3: a ring is acknowledged before its tasks are claimed. The slow claim would make it good, so it is off as well."""

from collections.abc import Callable
from typing import Any

from taskwire_chaos.bugs import no_slow_claim
from taskwire_chaos.planted.replacing import replace


def plant() -> None:
    """See the module."""
    from taskwire_processor.backlog import Backlog

    def make(take: Callable[..., Any]) -> Callable[..., Any]:
        def replacement(*args: Any) -> Any:
            pick = take(*args)
            for ring in pick.rings:
                ring.ack()
            return pick

        return replacement

    no_slow_claim.plant()
    replace(Backlog, "take", make)

"""S7: a watch whose buffer is full loses what comes next, in silence. The buffer is small, so that bursts fill it."""

from typing import Any

from taskwire_chaos.planted.replacing import replace

BUFFER_CHANGES = 10


def plant() -> None:
    """See the module."""
    from taskwire_gateway.feed import Feed, Stretch

    def offer(feed: Any, changes: Any, position: Any) -> None:
        feed.position = position
        wanted = [change for change in changes if feed.wants(change.task)]
        kept = wanted[: max(0, BUFFER_CHANGES - feed._count)]
        if kept:
            feed._count += len(kept)
            feed._stretches.append(Stretch(kept, position))
            feed._alarm.ring()

    replace(Feed, "offer", lambda _: offer)

"""A watch of everything shows the tasks of all tenants."""

from collections.abc import Callable
from typing import Any

from taskwire_chaos.planted.replacing import replace


def plant() -> None:
    """See the module."""
    from taskwire_gateway.feed import Feed

    def make(_: Callable[..., bool]) -> Callable[..., bool]:
        def replacement(self: Any, task: Any) -> bool:
            return bool(self._selector.matches(task))

        return replacement

    replace(Feed, "wants", make)

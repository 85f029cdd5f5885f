"""New tasks are stored in whatever order they come."""

import random

from taskwire_chaos.planted.replacing import replace


def plant() -> None:
    """See the module."""
    from taskwire_shared.store import creations

    replace(creations, "_order", lambda _: lambda _: random.random())  # noqa: S311

"""S4: tasks are rung for before they are stored."""

from collections.abc import Awaitable, Callable
from typing import Any

from taskwire_chaos.planted.replacing import replace


def plant() -> None:
    """See the module."""
    from taskwire_gateway.creator import Creator
    from taskwire_shared.domain.ready import Ready

    def make(write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def replacement(creator: Any, tasks: Any) -> Any:
            creator._ringer.ring(Ready(task.id, task.queue, task.priority) for task in tasks)
            return await write(creator, tasks)

        return replacement

    replace(Creator, "_write", make)

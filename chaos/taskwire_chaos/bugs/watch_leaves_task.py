"""Every watch of one task leaves a coroutine behind that waits for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from taskwire_chaos.planted.replacing import replace

_left: set[asyncio.Task[Any]] = set()


def plant() -> None:
    """See the module."""
    from taskwire_gateway.task_watch import TaskWatcher

    def make(watch: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def replacement(*args: Any) -> None:
            _left.add(asyncio.create_task(asyncio.Event().wait()))
            await watch(*args)

        return replacement

    replace(TaskWatcher, "watch_task", make)

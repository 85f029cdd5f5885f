"""A watch of one task says each version twice, which the client of this repository would hide."""

from collections.abc import Awaitable, Callable
from typing import Any

from taskwire_chaos.planted.replacing import replace


def plant() -> None:
    """See the module."""
    from taskwire_gateway.task_watch import TaskWatcher

    def make(watch: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def replacement(self: Any, tenant: str, request: Any, send: Callable[[Any], Awaitable[None]]) -> None:
            async def send_twice(message: Any) -> None:
                await send(message)
                await send(message)

            await watch(self, tenant, request, send_twice)

        return replacement

    replace(TaskWatcher, "watch_task", make)

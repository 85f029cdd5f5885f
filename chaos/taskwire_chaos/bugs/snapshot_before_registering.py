"""S6: a watch reads its task first and registers for what comes afterwards."""

import asyncio
from typing import Any
from uuid import UUID

from taskwire_chaos.planted.replacing import replace

GAP_SECONDS = 0.02
"""Between the two, as in a gateway that is busy: without it the loop does both in one millisecond."""


def plant() -> None:
    """See the module."""
    from taskwire_gateway import task_watch
    from taskwire_shared.domain.errors import TaskNotFound

    async def watch(watcher: Any, tenant: str, request: Any, send: Any) -> None:
        task_id = UUID(request.task_id)
        task = await watcher._reads.task(tenant, task_id, full=False)
        if task is None:
            raise TaskNotFound(request.task_id)
        await watcher._tailer.joined()
        await asyncio.sleep(GAP_SECONDS)
        with (
            watcher._watches.open("WatchTask") as opened,
            watcher._dispatcher.follow(task_id, opened.alarm) as follower,
        ):
            course = task_watch._Course(watcher._reads, opened, follower, send, task, full=False)
            await course.start(request.after_version if request.HasField("after_version") else None)
            while not course.is_over:
                await course.step()

    replace(task_watch.TaskWatcher, "watch_task", lambda _: watch)

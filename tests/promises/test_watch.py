"""P6: every watcher gets every version, in order, once, while gateways are killed."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing

import pytest

from taskwire.client import Client
from taskwire.requests import NewTask
from taskwire.task import TaskInfo
from taskwire_dev.stack import Stack

_TASKS = 500
_FEED_WATCHERS = 20
_TASK_WATCHERS = 180
_TASKS_PER_WATCHER = 3
_GATEWAYS = 2
_KILLS = 6
_SECONDS = 120.0


class _Seen:
    """The versions that one watcher was given, by task."""

    def __init__(self) -> None:
        self.versions: dict[str, list[int]] = defaultdict(list)
        self.done: set[str] = set()

    def note(self, task: TaskInfo) -> None:
        self.versions[task.id].append(task.version)
        if task.done:
            self.done.add(task.id)

    def gaps(self, task_ids: set[str]) -> list[tuple[str, list[int]]]:
        return [
            (task_id, self.versions[task_id])
            for task_id in task_ids
            if self.versions[task_id] != list(range(1, len(self.versions[task_id]) + 1)) or task_id not in self.done
        ]


async def _follow_feed(client: Client, seen: _Seen, started: asyncio.Event, total: int) -> None:
    async with aclosing(client.watch_all()) as feed:
        async for changes in feed:
            started.set()
            for task in changes.tasks:
                seen.note(task)
            if len(seen.done) == total:
                return


async def _follow_task(client: Client, task_id: str, seen: _Seen) -> None:
    async for task in client.watch(task_id, after_version=0):
        seen.note(task)


def _of_all_kinds() -> Iterator[NewTask]:
    for number in range(_TASKS):
        if number % 10 == 0:
            yield NewTask(type="flaky", input={"failures": 1}, initial_backoff=0.2)
        elif number % 10 == 1:
            yield NewTask(type="echo", input="later", delay=2)
        else:
            yield NewTask(type="sleep", input={"seconds": 0.2 * (number % 7)})


@pytest.mark.timeout(180)
async def test_p6_500_tasks_200_watchers_of_both_kinds_while_gateways_are_killed(
    stack: Stack, connect: Callable[[str], Client], database_url: str, audit: Callable[[str], Awaitable[None]]
) -> None:
    for _ in range(_GATEWAYS):
        gateway = await stack.gateway()
        # It comes back where its clients look for it.
        gateway.environment["TASKWIRE_LISTEN"] = gateway.ready.grpc
    await stack.processor(concurrency="40")
    clients = [connect(gateway.ready.grpc) for gateway in stack.gateways]

    feeds = [_Seen() for _ in range(_FEED_WATCHERS)]
    watchers: list[tuple[_Seen, set[str]]] = []
    async with asyncio.timeout(_SECONDS), asyncio.TaskGroup() as group:
        started = [asyncio.Event() for _ in feeds]
        for number, seen in enumerate(feeds):
            group.create_task(_follow_feed(clients[number % _GATEWAYS], seen, started[number], _TASKS))
        for event in started:
            await event.wait()

        created = await clients[0].create_many(_of_all_kinds())
        task_ids = [task.id for task in created]
        for number in range(_TASK_WATCHERS):
            first = number * _TASKS_PER_WATCHER % _TASKS
            mine = {task_ids[(first + offset) % _TASKS] for offset in range(_TASKS_PER_WATCHER)}
            watchers.append((_Seen(), mine))
            for task_id in mine:
                group.create_task(_follow_task(clients[number % _GATEWAYS], task_id, watchers[-1][0]))

        for number in range(_KILLS):
            victim = stack.gateways[number % _GATEWAYS]
            await victim.kill()
            await victim.start()

    everything = set(task_ids)
    for seen in feeds:
        assert seen.gaps(everything) == []
    for seen, mine in watchers:
        assert seen.gaps(mine) == []
    await audit(database_url)

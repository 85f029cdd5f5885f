"""Watches of single tasks: opened at the wrong moment, read slowly, left in the middle."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from random import Random
from typing import Any

from taskwire.client import Client
from taskwire.errors import TaskNotFound, TaskwireError
from taskwire.task import TaskInfo, TaskState
from taskwire_chaos.journal import ABSENT, Journal, Seen, WatchEnded, WatchOpened
from taskwire_chaos.load.caller import fresh_op
from taskwire_chaos.load.raw_watch import raw_watch

_LEFT = 0.1
"""Which part of the watches is left before the end."""
_RAW = 0.5
"""Which part is read without the client, which would hide what comes twice."""
_SLOW = 0.1
_SLOW_SECONDS = 0.5


class Watches:
    """Runs watches in the background and writes down what they see."""

    def __init__(
        self,
        journal: Journal,
        clients: Sequence[Client],
        stubs: Sequence[Any],
        random: Random,
        group: asyncio.TaskGroup,
        most: int,
    ) -> None:
        self._journal = journal
        self._clients = clients
        self._stubs = stubs
        self._random = random
        self._group = group
        self._most = most
        self._running: dict[str, asyncio.Task[None]] = {}

    def open(self, task_id: str, is_running: asyncio.Event | None = None) -> None:
        """Watch a task that is there or about to be; not when too many are watched already.

        `is_running` is set when it is seen running, and at the end.
        """
        is_running = is_running or asyncio.Event()
        if len(self._running) >= self._most:
            is_running.set()
            return
        watch = fresh_op()
        running = self._group.create_task(self._watch(watch, task_id, is_running))
        running.add_done_callback(lambda _: is_running.set())
        self._running[watch] = running
        running.add_done_callback(lambda _: self._running.pop(watch, None))

    async def settle(self, seconds: float) -> None:
        """Wait for the ends of all watches; those that do not end in time are written down as unfinished."""
        if self._running:
            await asyncio.wait(list(self._running.values()), timeout=seconds)
        for watch, running in list(self._running.items()):
            running.cancel()
            self._journal.write(WatchEnded(watch=watch, how="unfinished"))

    async def _watch(self, watch: str, task_id: str, is_running: asyncio.Event) -> None:
        after = self._random.choice((None, 0))
        leaves_after = self._random.randint(1, 3) if self._random.random() < _LEFT else 0
        pause = _SLOW_SECONDS if self._random.random() < _SLOW else 0.0
        self._journal.write(WatchOpened(watch=watch, task=task_id, after=after))
        versions = self._versions(task_id, after)
        try:
            async with aclosing(versions):
                async for task in versions:
                    change = (task.id, task.version, int(task.state), task.attempt_count)
                    self._journal.write(Seen(watch=watch, changes=(change,)))
                    if task.state == TaskState.RUNNING:
                        is_running.set()
                    leaves_after -= 1
                    if leaves_after == 0:
                        break
                    await asyncio.sleep(pause)
        except TaskNotFound:
            # Whether it was opened before the task was there is for the validator to say.
            self._journal.write(WatchEnded(watch=watch, how=ABSENT))
        except TaskwireError as error:
            self._journal.write(WatchEnded(watch=watch, how=error.reason or error.code.name))
        else:
            self._journal.write(WatchEnded(watch=watch, how="left" if leaves_after == 0 else "final"))

    def _versions(self, task_id: str, after: int | None) -> AsyncGenerator[TaskInfo, None]:
        if self._random.random() < _RAW:
            return raw_watch(self._random.choice(self._stubs), task_id, after)
        return self._random.choice(self._clients).watch(task_id, after_version=after)

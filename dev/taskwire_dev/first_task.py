"""The proof that an installation works: one task, from its creation to its end."""

import asyncio
from contextlib import aclosing, suppress
from time import monotonic

from msgspec import Struct

from taskwire.client import Client
from taskwire.task import TaskInfo, TaskPriority, TaskState, WaitReason

PATIENCE_SECONDS = 10.0
"""It takes 20 ms, but work left over from the last time may be before it."""


class FirstTask(Struct, frozen=True, kw_only=True):
    """What became of the task."""

    task_id: str
    states: tuple[TaskState, ...]
    """Those that it went through, as far as it was watched."""
    seconds: float
    waits_for: WaitReason

    @property
    def succeeded(self) -> bool:
        """Tell whether the handler ran and its result was stored."""
        return self.states[-1:] == (TaskState.SUCCEEDED,)


async def run_first_task(address: str, queue: str, *, patience: float = PATIENCE_SECONDS) -> FirstTask:
    """Create an echo task and watch it for `patience` seconds. Raises taskwire.errors.TaskwireError."""
    async with Client(address) as client:
        began = monotonic()
        created = await client.create(
            "echo", "hello", queue=queue, priority=TaskPriority.HIGH, labels={"made-by": "taskwire-dev"}
        )
        versions: list[TaskInfo] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await _watch(client, created.id, versions)
        return FirstTask(
            task_id=created.id,
            states=tuple(version.state for version in versions),
            seconds=monotonic() - began,
            waits_for=(await client.get(created.id)).wait_reason,
        )


async def _watch(client: Client, task_id: str, versions: list[TaskInfo]) -> None:
    async with aclosing(client.watch(task_id, after_version=0)) as watch:
        async for version in watch:
            # At once: the caller keeps what has come when it loses its patience.
            versions += [version]

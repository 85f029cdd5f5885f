"""A tree of processes: started in order, kept running, and stopped in the opposite order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol, Self

from taskwire_dev.children import Child, describe_end
from taskwire_dev.failure import StartFailed

_DEATHS_MAX = 5
"""So many within DEATHS_SECONDS say that starting again does not help."""
_DEATHS_SECONDS = 60.0
_RESTART_PAUSE_SECONDS = 0.5

Say = Callable[[str], None]
"""Tells the person who started the tree."""


class Member(Protocol):
    """What a supervisor looks after."""

    name: str

    @property
    def child(self) -> Child:
        """Return the process, which may have ended."""

    async def start(self) -> object:
        """Start it and wait until it serves. Raises StartFailed."""

    async def stop(self) -> object:
        """Stop it, in bounded time. Does nothing when it does not run."""


class Supervisor:
    """Keeps its members running. One that dies too often takes all of them down, with a StartFailed."""

    def __init__(self, group: asyncio.TaskGroup, say: Say) -> None:
        self._group = group
        self._say = say
        self._members: list[Member] = []
        self._keepers: list[asyncio.Task[None]] = []

    @classmethod
    @asynccontextmanager
    async def open(cls, say: Say) -> AsyncIterator[Self]:
        """Supervise until the block ends, then stop every member, the newest first."""
        async with asyncio.TaskGroup() as group:
            supervisor = cls(group, say)
            try:
                yield supervisor
            finally:
                await supervisor.stop()

    async def start(self, *members: Member) -> None:
        """Start members at the same time, and keep them running from then on."""
        self._members.extend(members)
        async with asyncio.TaskGroup() as starts:
            for member in members:
                starts.create_task(member.start(), name=f"start {member.name}")
        self._keepers += [self._group.create_task(self._keep(member), name=f"keep {member.name}") for member in members]

    async def stop(self) -> None:
        """Stop every member, the newest first, one after the other."""
        for keeper in self._keepers:
            keeper.cancel()
        async with AsyncExitStack() as stack:
            # A stack goes on when one of them fails to stop, and works from its end.
            for member in self._members:
                stack.push_async_callback(member.stop)
            self._members = []

    async def _keep(self, member: Member) -> None:
        deaths: deque[float] = deque(maxlen=_DEATHS_MAX)
        now = asyncio.get_running_loop().time
        while True:
            how = describe_end(await member.child.ended())
            deaths.append(now())
            if len(deaths) == _DEATHS_MAX and deaths[-1] - deaths[0] < _DEATHS_SECONDS:
                raise StartFailed(f"The {member.name} {how}, for the {_DEATHS_MAX}th time within a minute.")
            self._say(f"The {member.name} {how}. It is started again.")
            await asyncio.sleep(_RESTART_PAUSE_SECONDS)
            await member.start()
            self._say(f"The {member.name} is back.")

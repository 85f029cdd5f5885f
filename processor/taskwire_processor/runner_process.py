"""A runner as control sees it."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from taskwire_processor.runner import wire
from taskwire_processor.runner.link import Link

if TYPE_CHECKING:
    from taskwire_processor.held import Held

START_SECONDS = 60.0
"""The modules of the handlers may import a lot."""
EXIT_SECONDS = 2.0
"""From the end of the connection to the end of the process. After that it is killed."""
DRAIN_SECONDS = 1.0
"""For reading what a process had written before it died. A child that it forked may hold the other end for longer."""
_STDERR = 2

Receive = Callable[["RunnerProcess", Sequence[wire.Ended | wire.Reported]], None]


class RunnerFailed(Exception):
    """A runner did not come up. The message says why."""


class HandlersUnloadable(RunnerFailed):
    """The modules of the handlers cannot be loaded."""


class RunnerProcess:
    """A child process that runs handlers, in a session of its own so that it can be ended with all it has started."""

    def __init__(self, process: Process, receive: Receive) -> None:
        self.held: dict[int, Held] = {}
        """What it runs, by the number that both sides call it by."""
        self.was_killed = False
        """Whether control ended it, so that what it ran is not to blame."""
        self._process = process
        self._receive = receive
        self._loaded: asyncio.Future[wire.Loaded] = asyncio.get_running_loop().create_future()
        self._is_cut_off = asyncio.Event()
        self._link: Link[wire.FromRunner, wire.ToRunner] = Link(
            wire.reader_in_control(), receive=self._hear, lost=self._is_cut_off.set
        )

    @classmethod
    async def start(cls, setup: wire.Setup, receive: Receive) -> "tuple[RunnerProcess, tuple[wire.Offer, ...]]":
        """Start a runner and return it with what it can run. Raises RunnerFailed. The caller awaits `ended`."""
        ours, theirs = socket.socketpair()
        with ours:
            ours.setblocking(False)
            with theirs:
                runner = cls(await _spawn(theirs), receive)
            link = runner._link
            try:
                await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=ours.dup())
                return runner, await runner._load(setup)
            except BaseException:
                runner.kill()
                await asyncio.shield(runner.ended())
                raise

    @property
    def pid(self) -> int:
        """Return the id of the process."""
        return self._process.pid

    def send(self, message: wire.ToRunner) -> None:
        """Send a message with whatever else is sent in this turn of the loop."""
        self._link.send(message)

    def kill(self) -> None:
        """End the process and everything that it has started, at once."""
        self.was_killed = True
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let the process end by itself."""
        self.was_killed = True
        self._link.close()

    async def gone(self) -> None:
        """Wait for the first sign that the process has ended: from then on it hears nothing."""
        cut_off = asyncio.create_task(self._is_cut_off.wait())
        exited = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait((cut_off, exited), return_when=asyncio.FIRST_COMPLETED)
        finally:
            cut_off.cancel()
            exited.cancel()

    async def ended(self) -> int:
        """Wait for the end of the process and return its exit code, minus the signal where one killed it.

        Everything that it had said before has been received by then.
        """
        await self.gone()
        cut_off = asyncio.create_task(self._is_cut_off.wait())
        exited = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait((exited,), timeout=EXIT_SECONDS)
            if not exited.done():
                self._kill_mute()
            exit_code = await exited
            self._kill_rest()
            await asyncio.wait((cut_off,), timeout=DRAIN_SECONDS)
        finally:
            cut_off.cancel()
            exited.cancel()
        # A child that left the group may hold the other end: what was not sent would wait for it.
        self._link.abort()
        return exit_code

    def _kill_rest(self) -> None:
        """Kill what the process had started and left behind: whatever is still in its group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _kill_mute(self) -> None:
        """Kill a process that closed its connection: it is to blame for that, so it counts as dying by itself."""
        was_killed = self.was_killed
        self.kill()
        self.was_killed = was_killed

    async def _load(self, setup: wire.Setup) -> tuple[wire.Offer, ...]:
        self.send(setup)
        cut_off = asyncio.create_task(self._is_cut_off.wait())
        try:
            await asyncio.wait((self._loaded, cut_off), timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            cut_off.cancel()
        if self._loaded.done():
            return self._loaded.result().offers
        if self._is_cut_off.is_set():
            raise RunnerFailed("A runner process ended before it had loaded the handlers.")
        raise RunnerFailed(f"A runner process did not load the handlers within {START_SECONDS:g} s.")

    def _hear(self, messages: list[wire.FromRunner]) -> None:
        if self._loaded.done():
            self._receive(self, messages)  # type: ignore[arg-type]  # The other two are said once, before all others.
            return
        first = messages[0]
        if isinstance(first, wire.Loaded):
            self._loaded.set_result(first)
        elif isinstance(first, wire.Unloadable):
            self._loaded.set_exception(HandlersUnloadable(first.message))


async def _spawn(connection: socket.socket) -> Process:
    descriptor = connection.fileno()
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "taskwire_processor.runner",
        str(descriptor),
        str(os.getpid()),
        pass_fds=(descriptor,),
        stdin=DEVNULL,
        # What handlers print must not mix with what control says on its stdout.
        stdout=_STDERR,
        start_new_session=True,
    )

"""Programs that run below this one, never longer than it."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from msgspec import Struct

from taskwire_dev import launcher
from taskwire_dev.failure import StartFailed

_POLL_SECONDS = 0.01
_REAP_SECONDS = 5.0
"""After SIGKILL only a process in uninterruptible sleep is still there."""


class Command(Struct, frozen=True, kw_only=True):
    """How to start a child."""

    program: Sequence[str | Path]
    environment: Mapping[str, str]
    folder: Path
    """Its working folder, by which it is recognised when it outlives its parent, see `occupants`."""
    log: Path
    """Gets what it writes, at the end."""
    identity: str = "same"
    death_signal: signal.Signals = signal.SIGTERM
    """What it gets when this process dies."""


class Stage(Struct, frozen=True):
    """One step in stopping a child: a signal, and how long to wait for the end."""

    signal: signal.Signals
    seconds: float


class Child:
    """A running program, in a session and process group of its own."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Return the process id, which is also that of its group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return how it ended, minus the signal where one ended it, or None while it runs."""
        return self._process.returncode

    async def ended(self) -> int:
        """Wait for its end."""
        return await self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program alone."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def send_to_all(self, number: signal.Signals) -> None:
        """Send a signal to the program and everything that it has started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def stop(self, stages: Sequence[Stage]) -> int:
        """Stop it politely, stage by stage, and kill it with all it has started when that does not help."""
        for stage in stages:
            if self.exit_code is not None:
                break
            self.send(stage.signal)
            with suppress(TimeoutError):
                async with asyncio.timeout(stage.seconds):
                    await self.ended()
        self.send_to_all(signal.SIGKILL)
        async with asyncio.timeout(_REAP_SECONDS):
            return await self.ended()


async def spawn(command: Command) -> Child:
    """Start a child. The caller stops it."""
    log = _open_log(command.log)
    try:
        process = await asyncio.create_subprocess_exec(
            *_launch(command),
            cwd=command.folder,
            env=dict(command.environment),
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    except OSError as error:
        raise StartFailed(f"{command.program[0]} cannot be started: {error.strerror}.") from error
    finally:
        log.close()
    return Child(process)


def _open_log(path: Path) -> IO[bytes]:
    try:
        return path.open("ab", buffering=0)
    except OSError as error:
        raise StartFailed(f"The log {path} cannot be written: {error.strerror}.") from error


def _launch(command: Command) -> list[str]:
    parent, death_signal = str(os.getpid()), str(int(command.death_signal))
    prefix = [sys.executable, "-I", "-S", launcher.__file__, parent, death_signal, command.identity]
    return prefix + [str(part) for part in command.program]


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that another process does, such as writing a line, which cannot be awaited."""
    while not condition():
        await asyncio.sleep(_POLL_SECONDS)


def describe_end(exit_code: int | None) -> str:
    """Say how a process ended, as in "The gateway ..."."""
    if exit_code is None:
        return "still runs"
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was killed by signal {-exit_code}"

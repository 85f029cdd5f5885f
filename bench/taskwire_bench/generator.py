"""The benchmark's end of a load process."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from taskwire_bench.conditions import REPOSITORY
from taskwire_bench.load.orders import Order

T = TypeVar("T")

_LINE_BYTES_MAX = 512 * 1024**2
"""A report with a delay for every event of a long run."""
_PHASE_SECONDS = 900.0
_END_SECONDS = 10.0
_SAID_BYTES_MAX = 8 * 1024

_FOLDERS = ("bench", "client", "dev", "gateway", "migrations", "processor", "shared")
ENVIRONMENT = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(str(REPOSITORY / folder) for folder in _FOLDERS)}
"""Of every process that is measured: nothing of the caller's, and the code that lies beside this."""


class Message(msgspec.Struct, frozen=True):
    """What a load process says."""

    phase: str
    report: msgspec.Raw = msgspec.Raw(b"null")


class GeneratorFailed(Exception):
    """A load process has ended before its time. The message holds the end of its log."""


class Generator:
    """A running load process."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, log_start: int) -> None:
        self._process = process
        self._log = log
        self._log_start = log_start

    @classmethod
    @asynccontextmanager
    async def start(cls, order: Order, folder: Path) -> AsyncIterator["Generator"]:
        """Start a process that prepares `order`, and end it when the block ends."""
        log = folder / "load.log"
        with log.open("ab") as output:
            log_start = output.tell()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "taskwire_bench.load"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=output,
                env=ENVIRONMENT,
                limit=_LINE_BYTES_MAX,
            )
        generator = cls(process, log, log_start)
        try:
            generator._send(msgspec.json.encode(order))
            yield generator
        finally:
            await generator._end()

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    async def reached(self, phase: str) -> None:
        """Wait until the process says that it has reached `phase`; it then waits for `go`."""
        message = await self._receive()
        if message.phase != phase:
            raise GeneratorFailed(f"a load process is at {message.phase!r} instead of {phase!r}")

    def go(self) -> None:
        """Let the process go on."""
        self._send(b"")

    async def report(self, kind: type[T]) -> T:
        """Wait for the report. The process stays until the block ends, so that one can see what it has used."""
        message = await self._receive()
        return msgspec.json.decode(message.report, type=kind)

    def _send(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")

    async def _receive(self) -> Message:
        assert self._process.stdout is not None
        async with asyncio.timeout(_PHASE_SECONDS):
            line = await self._process.stdout.readline()
        if not line:
            raise GeneratorFailed(f"a load process has failed:\n{self._said()}")
        return msgspec.json.decode(line, type=Message)

    def _said(self) -> str:
        """Return the beginning of what it has written: of several errors the first is the cause."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read(_SAID_BYTES_MAX).decode(errors="replace")

    async def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

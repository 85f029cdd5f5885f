"""The line between a load process and the benchmark: a JSON value per line."""

import asyncio
import gc
import sys
from typing import Any

import msgspec


class Line:
    """The load process's end."""

    async def order(self, kind: Any) -> Any:
        """Return what this process was told to do."""
        return msgspec.json.decode(await self._read(), type=kind)

    async def reach(self, phase: str) -> None:
        """Say that `phase` is reached and wait until the benchmark says to go on."""
        # What was prepared stays: looking through it again and again would be measured too.
        gc.collect()
        gc.freeze()
        self._write({"phase": phase})
        await self._read()

    async def report(self, report: msgspec.Struct) -> None:
        """Hand in what was found, and stay until the benchmark has looked at this process."""
        self._write({"phase": "done", "report": report})
        await self._read()

    async def _read(self) -> str:
        line: str = await asyncio.to_thread(sys.stdin.readline)
        if not line:
            # The benchmark is gone.
            raise SystemExit(1)
        return line

    def _write(self, value: object) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
        sys.stdout.buffer.flush()

"""The server of `floor`, started and ended."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Struct

from taskwire_bench.generator import ENVIRONMENT

_START_SECONDS = 30.0


class Floor(Struct, frozen=True):
    """A running server whose only call does nothing."""

    pid: int
    address: str


@asynccontextmanager
async def floor() -> AsyncIterator[Floor]:
    """Run the server until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "taskwire_bench.floor"), stdout=asyncio.subprocess.PIPE, env=ENVIRONMENT
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            address = (await process.stdout.readline()).decode().strip()
        yield Floor(process.pid, address)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()

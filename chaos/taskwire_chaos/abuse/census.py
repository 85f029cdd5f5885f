"""What a service has in its hands: memory, descriptors, threads, tasks of asyncio, connections to Postgres."""

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
from pathlib import Path

import asyncpg
import psutil
from msgspec import Struct

FOLDER_VARIABLE = "ABUSE_CENSUS"
ANSWER_SECONDS = 30.0
POLL_SECONDS = 0.05
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"


class Census(Struct, frozen=True, kw_only=True):
    """One look at one service."""

    service: str
    pid: int
    rss_mib: float
    """Resident memory as it is."""
    held_mib: float
    """The same once garbage is collected and the allocator has given back what is free."""
    descriptors: int
    threads: int
    tasks: int
    connections: int


def answer_to_signals() -> None:
    """Tidy up and write the number of asyncio tasks into a file whenever SIGUSR1 comes. Called in the service."""
    file = Path(os.environ[FOLDER_VARIABLE]) / str(os.getpid())

    def answer(_: int, __: object) -> None:
        gc.collect()
        with contextlib.suppress(AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
        fresh = file.with_suffix(".new")
        fresh.write_text(str(len(asyncio.all_tasks())))
        fresh.rename(file)

    signal.signal(signal.SIGUSR1, answer)


async def take_census(service: str, pid: int, folder: Path, database_url: str) -> Census:
    """Look at a service."""
    process = psutil.Process(pid)
    file = folder / str(pid)
    rss_mib = _mib(process)
    file.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    async with asyncio.timeout(ANSWER_SECONDS):
        while not file.exists():
            await asyncio.sleep(POLL_SECONDS)
    connection = await asyncpg.connect(database_url, timeout=ANSWER_SECONDS)
    try:
        connections = await connection.fetchval(_CONNECTIONS, f"taskwire {service}")
    finally:
        await connection.close()
    return Census(
        service=service,
        pid=pid,
        rss_mib=rss_mib,
        held_mib=_mib(process),
        descriptors=process.num_fds(),
        threads=process.num_threads(),
        tasks=int(file.read_text()),
        connections=connections,
    )


def _mib(process: psutil.Process) -> float:
    rss: int = process.memory_info().rss
    return round(rss / 1024**2, 1)

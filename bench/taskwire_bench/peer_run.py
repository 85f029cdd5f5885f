"""One pass of tasks through a peer."""

import asyncio
import json
import os
import signal
import struct
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import nats
from msgspec import Struct

from taskwire_bench.cpu import Usage
from taskwire_bench.failure import NotMeasured
from taskwire_bench.peer_programs import REDIS, REDIS_LIBRARIES, Peer
from taskwire_bench.site import Site
from taskwire_dev.ports import free_port

_CELL = struct.Struct("<qq")
_POLL_SECONDS = 0.02
_START_SECONDS = 60.0
_LEAST_RATE = 100.0
"""Tasks per second. A peer below it is given up."""
_PATIENCE_SECONDS = 60.0
_END_SECONDS = 15.0
_WARM_UP_SHARE = 0.3
"""Of the tasks that are measured, about as for Taskwire."""
_REDIS_SECONDS = 10.0
_PEER_STREAMS = "peer_"


class PeerRun(Struct, frozen=True, kw_only=True):
    """What a peer did."""

    rate: float
    """From the moment before the first task was handed in to the end of the last handler: what a peer writes down
    after that is not counted against it."""
    hand_in_rate: float
    cpu: Mapping[str, float]


@asynccontextmanager
async def redis(folder: Path) -> AsyncIterator[tuple[str, int]]:
    """Run a Redis that writes every second, and yield its URL and process id."""
    if not REDIS.exists():
        raise NotMeasured("Redis is not there: bench/peers/install.sh")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(str(REDIS), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)),
        *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        stdout=asyncio.subprocess.DEVNULL,
        env={"LD_LIBRARY_PATH": str(REDIS_LIBRARIES)},
    )
    try:
        yield f"redis://127.0.0.1:{port}", process.pid
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@asynccontextmanager
async def environment_of(peer: Peer, site: Site, redis_url: str) -> AsyncIterator[Mapping[str, str]]:
    """Make what a peer needs in the servers, and leave nothing of it afterwards.

    Raises:
        NotMeasured: The peer is not installed.
    """
    for needed in peer.needs:
        if not Path(needed).exists():
            raise NotMeasured(f"{peer.title} is not installed: bench/peers/install.sh")
    database = f"peer_{peer.name}"
    environment = {
        "PATH": os.defpath + ":/usr/local/bin",
        "PEER_POSTGRES": await site.bare_database(database),
        "PEER_NATS": site.nats_url,
        "PEER_REDIS": redis_url,
    }
    try:
        if peer.prepare:
            await _finish(peer, peer.prepare, environment)
        yield environment
    finally:
        await site.drop_database(database)
        await _drop_streams(site.nats_url)
        if redis_url:
            await _empty(redis_url)


async def pass_through(peer: Peer, tasks: int, environment: Mapping[str, str], servers: Mapping[str, int]) -> PeerRun:
    """Start the peer's workers, let them warm up, hand in tasks, and wait for the last handler."""
    with tempfile.TemporaryDirectory(prefix="taskwire-peer-") as name:
        tally = Path(name)
        own = {**environment, "PEER_TALLY": name}
        with (tally / "workers.log").open("wb") as log:
            workers = [await _start(peer, worker, own, log.fileno()) for worker in peer.workers]
        try:
            warm_up = max(1, round(tasks * _WARM_UP_SHARE))
            await _finish(peer, [*peer.enqueue, str(warm_up)], own)
            await _until(tally, warm_up, _START_SECONDS, peer)
            usage = Usage(
                {"worker": [worker.pid for worker in workers], **{role: [pid] for role, pid in servers.items()}}
            )
            said = await _finish(peer, [*peer.enqueue, str(tasks)], own)
            last_ns = await _until(tally, warm_up + tasks, _PATIENCE_SECONDS + tasks / _LEAST_RATE, peer)
            used = usage.since()
        finally:
            await asyncio.gather(*(_stop(worker) for worker in workers))
    return PeerRun(
        rate=tasks / (last_ns - said["first_ns"]) * 1e9,
        hand_in_rate=tasks / (said["last_ns"] - said["first_ns"]) * 1e9,
        cpu={role: seconds / tasks * 1000 for role, seconds in used.items()},
    )


async def _drop_streams(nats_url: str) -> None:
    """Drop the streams that peers have made. Taskwire's own goes on."""
    client = await nats.connect(nats_url.split(","))
    try:
        stream = client.jetstream()
        for info in await stream.streams_info():
            if str(info.config.name).startswith(_PEER_STREAMS):
                await stream.delete_stream(str(info.config.name))
    finally:
        await client.close()


async def _empty(redis_url: str) -> None:
    address = urlsplit(redis_url)
    async with asyncio.timeout(_REDIS_SECONDS):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(b"FLUSHALL SYNC\r\n")
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
    if not answer.startswith(b"+OK"):
        raise NotMeasured(f"Redis could not be emptied: {answer!r}")


async def _start(
    peer: Peer, command: Sequence[str], environment: Mapping[str, str], log: int
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command, cwd=peer.folder, env=environment, stdout=log, stderr=log, start_new_session=True
    )


async def _finish(peer: Peer, command: Sequence[str], environment: Mapping[str, str]) -> dict[str, int]:
    """Run a program to its end and return what it said."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=peer.folder,
        env={"PEER_TALLY": tempfile.gettempdir(), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode:
        raise NotMeasured(f"{peer.title}: {command[-1]} failed: {errors.decode(errors='replace')[-500:]}")
    said: dict[str, int] = {}
    for line in output.splitlines():
        with suppress(ValueError):
            said.update(json.loads(line))
    return said


async def _until(tally: Path, executions: int, patience_seconds: float, peer: Peer) -> int:
    """Wait until so many handlers have run and return when the newest did, in nanoseconds since 1970."""
    deadline = asyncio.get_running_loop().time() + patience_seconds
    while True:
        cells = [_CELL.unpack(data) for file in tally.glob("*.cell") if len(data := file.read_bytes()) == _CELL.size]
        count = sum(count for count, _ in cells)
        if count >= executions:
            return int(max(moment for _, moment in cells))
        if asyncio.get_running_loop().time() > deadline:
            log = (tally / "workers.log").read_text(errors="replace")
            raise NotMeasured(f"{peer.title}: {count} of {executions} handlers ran in time. {log[-500:]}")
        await asyncio.sleep(_POLL_SECONDS)


async def _stop(worker: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await worker.wait()

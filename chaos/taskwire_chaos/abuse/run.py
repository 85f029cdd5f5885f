"""A run: everything is sent, and then looked at."""

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from taskwire.v1 import queue_service_pb2 as queue_pb
from taskwire.v1 import task_service_pb2 as pb
from taskwire_chaos.abuse import inputs, valid
from taskwire_chaos.abuse.attacker import carry_out
from taskwire_chaos.abuse.caller import LEFT, Caller
from taskwire_chaos.abuse.canary import Canary
from taskwire_chaos.abuse.census import Census
from taskwire_chaos.abuse.inputs import Call
from taskwire_chaos.abuse.methods import BY_NAME
from taskwire_chaos.abuse.record import Record
from taskwire_chaos.abuse.target import POOL_SIZE, Target
from taskwire_chaos.abuse.world import World

WORKERS = 48
"""Inputs at once."""
CONNECTIONS = 4
WARM_UP_PART = 0.2
"""Of the inputs, after which services have in memory what they keep for good."""
END_SECONDS = 300.0
"""For what was accepted to be run. The machine may be busy."""
SETTLE_SECONDS = 60.0
"""For what belonged to connections that are gone to be put away."""
POLL_SECONDS = 0.5
TOLD_INPUTS = 10_000
"""Between two lines that say how far it is."""
HELD_MIB_MAX = 32.0
"""By how much the memory may grow that is in use: twice what a run of 200,000 has shown. What the allocator keeps for
each of a dozen threads is part of it."""
RESIDENT_MIB_MAX = 96.0
"""By how much resident memory may: megabytes at once leave holes that the allocator keeps."""
SLACK = 4
"""Descriptors, threads and tasks that come and go by themselves."""

Say = Callable[[str], None]


async def run(folder: Path, seed: int, count: int, say: Say) -> Record:
    """Send `count` inputs made from `seed`, and judge what became of them."""
    record, began = Record(seed=seed), time.monotonic()
    async with Target.open(folder) as target, Canary.sing(target.address) as canary:
        world, numbers = World(), iter(range(count))
        await _send(target, record, world, itertools.islice(numbers, int(count * WARM_UP_PART)), say)
        await _end_all(target, record)
        record.before = await target.census()
        await _send(target, record, world, numbers, say)
        await _end_all(target, record)
        record.after = await _settled(target, record.before)
        await canary.stop()
        record.canary_calls, record.canary_seconds_max = canary.calls, canary.seconds_max
        for complaint in (*canary.complaints, *leaks(record.before, record.after), *target.faults()):
            record.violate(complaint)
        record.states = await target.states()
        await _verify(target, record)
    record.seconds = time.monotonic() - began
    return record


async def _send(target: Target, record: Record, world: World, numbers: Iterator[int], say: Say) -> None:
    host, _, port = target.address.rpartition(":")

    async def work(caller: Caller) -> None:
        for number in numbers:
            made = inputs.make(record.seed, number, world)
            if isinstance(made, Call):
                code, data = await caller.make(made)
                record.note_call(number, made, code, data)
                if data and code in {"OK", LEFT}:
                    world.learn(made.method.name, data)
            else:
                record.note_attack(number, made, await carry_out(made, host, int(port)))
            if record.inputs % TOLD_INPUTS == 0:
                record.gateway_mib.append(target.gateway_mib())
                say(f"{record.inputs:,} inputs, {record.violation_count} violations, {record.gateway_mib[-1]:.0f} MiB")

    async with Caller.open(target.address, CONNECTIONS) as caller, asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work(caller))


async def _end_all(target: Target, record: Record) -> None:
    """See that whatever was accepted ends: what our processor serves by itself, the rest when it is cancelled."""
    async with Caller.open(target.address, CONNECTIONS) as caller:
        for queue in valid.QUEUES:
            request = queue_pb.ResumeQueueRequest(queue=queue)
            await caller.make(Call("end", BY_NAME["ResumeQueue"], request.SerializeToString()))
        if not await _until(lambda: _is_zero(target.waiting), END_SECONDS):
            record.violate(f"{await target.waiting()} accepted tasks have not been run after {END_SECONDS:.0f} s")
        left = iter(await target.unfinished())

        async def work() -> None:
            for task_id in left:
                request = pb.CancelTaskRequest(task_id=task_id, reason="the end")
                await caller.make(Call("end", BY_NAME["CancelTask"], request.SerializeToString()))

        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(work())
        if not await _until(lambda: _is_none(target), SETTLE_SECONDS):
            rows = await target.unfinished()
            record.violate(f"{len(rows)} tasks do not end when they are cancelled, such as {rows[0]}")


async def _is_zero(count: Callable[[], Awaitable[int]]) -> bool:
    return await count() == 0


async def _is_none(target: Target) -> bool:
    return not await target.unfinished()


async def _until(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True


async def _settled(target: Target, before: list[Census]) -> list[Census]:
    """Look until nothing is too much any more, or the time is up."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        after = await target.census()
        if not leaks(before, after) or time.monotonic() > deadline:
            return after
        await asyncio.sleep(POLL_SECONDS)


def leaks(before: list[Census], after: list[Census]) -> list[str]:
    """Return what services have more of than they had, and than comes and goes by itself."""
    found = []
    for one, other in zip(before, after, strict=True):
        more = {
            "MiB in use": (other.held_mib - one.held_mib, HELD_MIB_MAX),
            "MiB resident": (other.rss_mib - one.rss_mib, RESIDENT_MIB_MAX),
            # Connections of the pool come back as they are needed.
            "descriptors": (other.descriptors - one.descriptors, SLACK + POOL_SIZE - one.connections),
            "threads": (other.threads - one.threads, SLACK),
            "asyncio tasks": (other.tasks - one.tasks, SLACK),
            "connections": (other.connections - POOL_SIZE, 0),
        }
        found += [f"{one.service} has {grown:.0f} {what} more" for what, (grown, most) in more.items() if grown > most]
    return found


async def _verify(target: Target, record: Record) -> None:
    process = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("taskwire"), "verify"),
        env=target.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    record.verified = said.decode().strip().rpartition("\n")[2]
    if process.returncode != 0:
        record.violate(f"taskwire verify: {said.decode()}")

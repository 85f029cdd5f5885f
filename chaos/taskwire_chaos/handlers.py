"""The tasks of a campaign: well-behaved ones and poison. Each attempt is written down at its start and its end."""

import asyncio
import json
import math
import mmap
import os
import resource
import signal
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from taskwire import Attempt, TaskFailure, handler
from taskwire_chaos.journal import Journal, Ran

LEDGER_VARIABLE = "CHAOS_LEDGER"
"""Names the folder that the ledgers go to, one file for each runner process."""
_OOM_BYTES = 64 * 1024**2
"""How much more memory than it has a greedy handler may take before it is killed, as by the kernel."""


class Wish(Struct, frozen=True):
    """What a task is to do."""

    ms: int = 50
    failures: int = 0
    tag: str = ""


@cache
def _ledger(pid: int) -> Journal:
    return Journal(Path(os.environ[LEDGER_VARIABLE]) / f"ledger-{pid}.jsonl", fsync=True)


def _note(attempt: Attempt, what: str) -> None:
    pid = os.getpid()
    _ledger(pid).write(Ran(task=attempt.task_id, attempt=attempt.attempt, what=what, pid=pid))


def _result(attempt: Attempt) -> str:
    _note(attempt, "end")
    return json.dumps({"task": attempt.task_id, "attempt": attempt.attempt})


@handler("chaos.work")
async def work(wish: Wish, attempt: Attempt) -> str:
    """Wait, as work does that waits for a network."""
    _note(attempt, "start")
    await asyncio.sleep(wish.ms / 1000)
    return _result(attempt)


@handler("chaos.thread")
def thread(wish: Wish, attempt: Attempt) -> str:
    """Wait in a thread, and look now and then whether to stop."""
    _note(attempt, "start")
    attempt.wait(wish.ms / 1000)
    return _result(attempt)


@handler("chaos.process", process=True)
def process(wish: Wish, attempt: Attempt) -> str:
    """Wait in a process of its own."""
    _note(attempt, "start")
    attempt.wait(wish.ms / 1000)
    return _result(attempt)


@handler("chaos.flaky")
async def flaky(wish: Wish, attempt: Attempt) -> str:
    """Fail a few times."""
    _note(attempt, "start")
    await asyncio.sleep(wish.ms / 1000)
    if attempt.attempt_count <= wish.failures:
        raise TaskFailure("FLAKY", "not yet")
    return _result(attempt)


@handler("chaos.stubborn")
async def stubborn(wish: Wish, attempt: Attempt) -> str:
    """Go on when told to stop."""
    _note(attempt, "start")
    loop = asyncio.get_running_loop()
    until = loop.time() + wish.ms / 1000
    while (left := until - loop.time()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue
    return _result(attempt)


@handler("chaos.suicide")
async def suicide(wish: Wish, attempt: Attempt) -> None:
    """Kill the process that runs it, and everything beside it."""
    _note(attempt, "start")
    await asyncio.sleep(wish.ms / 1000)
    os.kill(os.getpid(), signal.SIGKILL)


@handler("chaos.greedy", process=True)
def greedy(wish: Wish, attempt: Attempt) -> None:
    """Take memory until there is none, and be killed for it."""
    del wish
    _note(attempt, "start")
    taken: list[Any] = []
    used = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (used + _OOM_BYTES, resource.RLIM_INFINITY))
    try:
        while True:
            taken.append(bytearray(1024 * 1024))
    except MemoryError:
        os.kill(os.getpid(), signal.SIGKILL)


@handler("chaos.unstorable")
async def unstorable(wish: Wish, attempt: Attempt) -> float:
    """Return what no JSON can say."""
    del wish
    _note(attempt, "start")
    return math.nan

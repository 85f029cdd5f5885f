"""Handlers that behave as the worst ones do. Loaded by runners of the tests; they meet the test in a folder."""

import asyncio
import contextlib
import ctypes
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from msgspec import Struct

from taskwire import Attempt, TaskFailure, handler

_POLL_SECONDS = 0.01


class Meeting(Struct):
    """Where handler and test leave signs for each other."""

    folder: str = "/nonexistent"
    seconds: float = 0.0

    def leave(self, sign: str) -> None:
        Path(self.folder, sign).touch()

    def has(self, sign: str) -> bool:
        return Path(self.folder, sign).exists()


@handler("coroutine")
async def coroutine(meeting: Meeting, attempt: Attempt) -> str:
    """Wait until the test says go."""
    meeting.leave(f"started-{attempt.attempt}")
    try:
        while not meeting.has("go"):
            await asyncio.sleep(_POLL_SECONDS)
    except asyncio.CancelledError:
        meeting.leave("told")
        raise
    return f"attempt {attempt.attempt}"


@handler("stubborn_coroutine")
async def stubborn_coroutine(meeting: Meeting) -> str:
    """Finish although it was told to stop."""
    meeting.leave("started-1")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        meeting.leave("told")
    return "finished"


@handler("thread")
def thread(meeting: Meeting, attempt: Attempt) -> str:
    """Ignore that it should stop, until the test says go."""
    meeting.leave(f"started-{attempt.attempt}")
    while not meeting.has("go"):
        time.sleep(_POLL_SECONDS)
    return "late"


@handler("polite_thread")
def polite_thread(meeting: Meeting, attempt: Attempt) -> None:
    """Look now and then whether it should stop."""
    meeting.leave("started-1")
    while True:
        attempt.wait(_POLL_SECONDS)


@handler("process", process=True)
def process(meeting: Meeting, attempt: Attempt) -> str:
    """Ignore that it should stop, until the test says go."""
    meeting.leave(f"started-{attempt.attempt}")
    while not meeting.has("go"):
        time.sleep(_POLL_SECONDS)
    return "late"


@handler("pid")
async def pid() -> int:
    """Say which process this is."""
    return os.getpid()


@handler("pid_alone", process=True)
def pid_alone() -> int:
    """Say which process this is."""
    return os.getpid()


@handler("hold_gil")
async def hold_gil(meeting: Meeting, attempt: Attempt) -> str:
    """Stand still for some time without letting any other thread of the process run."""
    meeting.leave(f"started-{attempt.attempt}")
    ctypes.PyDLL(None).usleep(int(meeting.seconds * 1_000_000))
    return f"attempt {attempt.attempt}"


@handler("exit")
async def leave() -> None:
    """End the process."""
    os._exit(7)


@handler("exit_in_task")
async def leave_in_task() -> None:
    """Do in a task of its own what `argparse` does."""

    async def leave_too() -> None:
        sys.exit(3)

    await asyncio.create_task(leave_too())


@handler("fork")
async def fork() -> int:
    """Forget that there are two of them now, and say how the other one ended."""
    return _fork()


@handler("fork_in_thread")
def fork_in_thread() -> int:
    """Do the same in a thread."""
    return _fork()


def _fork() -> int:
    copy = os.fork()
    return os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) if copy else -1


@handler("leave_behind")
async def leave_behind(meeting: Meeting) -> None:
    """End the process, but not what it has started."""
    started = subprocess.Popen(["sleep", "600"])  # noqa: ASYNC220 - it is not waited for
    Path(meeting.folder, "left").write_text(str(started.pid))
    os.kill(os.getpid(), signal.SIGKILL)


@handler("kill")
def kill() -> None:
    """Kill the process."""
    os.kill(os.getpid(), signal.SIGKILL)


@handler("fail")
async def fail(retryable: bool) -> None:
    """Fail as asked for."""
    raise TaskFailure("ON_PURPOSE", "as asked for", {"key": "value"}, retryable=retryable, retry_after=0)


@handler("raise")
async def raise_something() -> None:
    """Raise what nobody expected."""
    raise ValueError("not \0 storable \ud800")


@handler("system_exit")
def system_exit() -> None:
    """Try to end the process politely."""
    raise SystemExit(3)


@handler("cancel_itself")
async def cancel_itself() -> None:
    """Raise what only others should."""
    raise asyncio.CancelledError


@handler("return")
async def return_something(what: str) -> Any:
    """Return what cannot be stored."""
    return {"nan": float("nan"), "huge": b"x" * (256 * 1024 + 1), "surrogate": "\ud800", "object": object()}[what]


@handler("progress")
async def progress(meeting: Meeting, attempt: Attempt) -> None:
    """Report often, then wait for the test."""
    for step in range(1000):
        attempt.report(step / 2000, f"step {step}")
    attempt.report(0.5, "half")
    while not meeting.has("go"):
        await asyncio.sleep(_POLL_SECONDS)


@handler("text")
async def text(what: str) -> str:
    """Return the input."""
    return what


@handler("spawn")
def spawn(meeting: Meeting) -> None:
    """Start a program and wait for it."""
    with subprocess.Popen(["sleep", "300"]) as program:
        meeting.leave("started-1")
        program.wait()


@handler("scribble")
def scribble() -> None:
    """Write to every descriptor there is, as a broken library might."""
    for descriptor in range(3, 64):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"\xff" * 64)
    time.sleep(30)

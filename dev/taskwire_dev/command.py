"""`taskwire dev` and `taskwire demo`."""

import argparse
import asyncio
import errno
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from taskwire_dev.console import Console, leave_quietly
from taskwire_dev.data_folder import DataFolder
from taskwire_dev.failure import StartFailed
from taskwire_dev.installation import Plan
from taskwire_shared import lifecycle
from taskwire_shared.settings import Settings, SettingsError

_TASKS_MIN = 20
"""One of each kind."""
_TASKS_MAX = 10_000
_INTERRUPTED = 130
"""As a shell reports a program that Ctrl-C has ended."""


def dev(argv: list[str]) -> int:
    """Serve on this machine with an embedded Postgres and NATS. Return the exit code."""
    parser = argparse.ArgumentParser(
        prog="taskwire dev", description="Serve on this machine, with a Postgres and a NATS of its own."
    )
    parser.add_argument("--stop", action="store_true", help="stop the one that runs in TASKWIRE_DATA_DIR")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every line that gateway and processor log")
    arguments = parser.parse_args(argv)
    return _guarded(lambda: _stop() if arguments.stop else _dev(arguments.verbose))


def demo(argv: list[str]) -> int:
    """Serve, run tasks of all kinds before the user's eyes, and stop. Return the exit code."""
    parser = argparse.ArgumentParser(
        prog="taskwire demo", description="Serve, run tasks of all kinds before your eyes, and stop."
    )
    parser.add_argument("--tasks", type=_count, default=500, help="how many tasks, 20 to 10000 (default: 500)")
    parser.add_argument("--data-dir", type=Path, help="where to keep the data (default: TASKWIRE_DATA_DIR if set, else "
                        "a temporary folder)")  # fmt: skip
    parser.add_argument("-v", "--verbose", action="store_true", help="show every line that gateway and processor log")
    arguments = parser.parse_args(argv)
    return _guarded(lambda: _demo(arguments.tasks, arguments.data_dir, arguments.verbose))


def _dev(verbose: bool) -> int:
    from taskwire_dev.dev import serve

    settings = Settings.load()
    plan = _plan(settings, DataFolder(Path(settings.data_dir)), Console(sys.stdout), verbose)
    lifecycle.run(_until_stopped(serve(plan)))
    plan.say("Taskwire has stopped; its data is kept.")
    return 0


def _stop() -> int:
    folder = DataFolder(Path(Settings.load().data_dir))
    stopped = folder.stop_holder()
    print(f"Taskwire in {folder.path} has stopped." if stopped else f"No Taskwire runs in {folder.path}.")
    return 0


def _demo(tasks: int, data_dir: Path | None, verbose: bool) -> int:
    from taskwire_dev.demo.show import demonstrate, temporary_folder

    settings = Settings.load()
    given = data_dir or (Path(settings.data_dir) if "data_dir" in settings.model_fields_set else None)
    console = Console(sys.stdout)
    with temporary_folder(given, console.say) as path:
        plan = _plan(settings, DataFolder(path), console, verbose)
        is_complete = lifecycle.run(_until_stopped(demonstrate(plan, console, tasks)))
    return 0 if is_complete else _INTERRUPTED


def _plan(settings: Settings, folder: DataFolder, console: Console, verbose: bool) -> Plan:
    return Plan(settings=settings, environ=dict(os.environ), folder=folder, say=console.say, verbose=verbose)


async def _until_stopped(work: Coroutine[Any, Any, Any]) -> Any:
    """Do the work until it ends or a signal comes. Return its result, or None after a signal."""
    with lifecycle.stop_event_on_signals() as stop:
        loop = asyncio.get_running_loop()
        # A terminal that is closed means the same as Ctrl-C; under nohup it means nothing.
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            loop.add_signal_handler(signal.SIGHUP, stop.set)
        task = asyncio.ensure_future(work)
        waiting = asyncio.ensure_future(stop.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not task.done():
            task.cancel()
        with suppress(asyncio.CancelledError):
            return await task
        return None


def _guarded(work: Callable[[], int]) -> int:
    """Turn what a person can mend into a message and exit code 1."""
    try:
        return work()
    except Exception as error:
        messages = [_message(leaf) for leaf in _leaves(error)]
        if None in messages:
            raise
        # Two members that fail for the same reason are one message.
        Console(sys.stderr).say("\n".join(dict.fromkeys(str(message) for message in messages)))
        return 1
    finally:
        leave_quietly()


def _message(error: BaseException) -> str | None:
    """Return the message of an error that a person can mend, or None for a fault of ours."""
    match error:
        case StartFailed() | SettingsError():
            return str(error)
        case OSError(strerror=str(reason), filename=str(name)):
            return f"{name}: {reason}."
        case OSError(errno=errno.ENOSPC, strerror=str(reason)):
            return f"{reason}."
        case _:
            return None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _count(text: str) -> int:
    count = int(text)
    if not _TASKS_MIN <= count <= _TASKS_MAX:
        raise argparse.ArgumentTypeError(f"must be between {_TASKS_MIN} and {_TASKS_MAX}")
    return count

"""How a process starts its loop, spares what it is made of, and learns that it should stop."""

import asyncio
import gc
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, TypeVar

from taskwire_shared.domain.errors import BackendUnavailable

T = TypeVar("T")

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

SERVICE_OBJECTS_MAX = 20_000
"""Containers made between two looks for garbage by a gateway or by control, which make few cycles, and many objects
that live for a batch. With Python's 700 the looks cost control a seventh of its time at full speed, and a gateway 3 of
16 us for a task that comes in a batch."""
RUNNER_OBJECTS_MAX = 5_000
"""The same where handlers may leave cycles with payloads in them. The looks cost a short attempt 2.6 of 9 us before."""
_YOUNG_LOOKS_MAX = 20


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a loop of uvloop where that is installed, else on one of asyncio."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def run_through(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end like `run`, whatever is raised by others on the loop.

    A task that raises SystemExit, as `argparse` does, or that stops the loop, would else end all others.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        loop = runner.get_loop()
        task = loop.create_task(main)
        while True:
            try:
                return loop.run_until_complete(task)
            except (SystemExit, KeyboardInterrupt, RuntimeError):
                if task.done():
                    return task.result()


def spare_the_collector(new_objects_max: int) -> None:
    """Leave what a started process is made of out of every later look, and look more seldom. For whole processes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(new_objects_max, _YOUNG_LOOKS_MAX, _YOUNG_LOOKS_MAX)


@contextmanager
def stop_event_on_signals() -> Iterator[asyncio.Event]:
    """Give an event that SIGINT and SIGTERM set, instead of what they did before, until the block ends.

    Further signals change nothing: a terminal sends SIGINT to the whole process group, and a supervisor sends SIGTERM
    on top of that. To be called on the main thread, inside the running loop.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    before = {number: signal.getsignal(number) for number in _STOP_SIGNALS}
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


def told(error: BaseException) -> str:
    """Describe what ends a process, and of an outage what the system or the server said."""
    reason = f" ({error.__cause__})" if isinstance(error, BackendUnavailable) else ""
    return f"{type(error).__name__}: {error}{reason}"


def _loop_factory() -> Any:
    try:
        return import_module("uvloop").new_event_loop
    except ImportError:
        return None

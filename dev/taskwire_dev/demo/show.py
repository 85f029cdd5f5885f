"""The run of the demo, from the first task to the summary."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic
from uuid import uuid4

from msgspec import Struct

from taskwire.client import Client
from taskwire.errors import TaskwireError
from taskwire.requests import Selector
from taskwire.task import TaskInfo, TaskState
from taskwire_dev.console import Console
from taskwire_dev.demo.board import Board
from taskwire_dev.demo.orders import LABEL, Order, make_orders
from taskwire_dev.failure import StartFailed
from taskwire_dev.installation import Plan, running, stop_seconds
from taskwire_dev.supervisor import Say

_BATCH = 100
_FIRST_MESSAGE_SECONDS = 10.0
_PATIENCE_SECONDS = 120.0
"""500 tasks take about 10 s on two cores."""
_CANCEL_PATIENCE_SECONDS = 2.0
"""How long a task that is to be cancelled while it runs may take to start; then it is cancelled anyway."""
_DRAW_SECONDS = 0.1
_LINE_SECONDS = 1.0
_PROBLEMS_SHOWN_MAX = 20


class Run(Struct, frozen=True, kw_only=True):
    """One run of the demo."""

    orders: Sequence[Order]
    selector: Selector
    """What picks the tasks of this run and no others."""
    board: Board
    client: Client


@contextmanager
def temporary_folder(given: Path | None, say: Say) -> Iterator[Path]:
    """Give the folder to use: a given one is kept, and so is another when something went wrong."""
    path = given or Path(tempfile.mkdtemp(prefix="taskwire-demo-"))
    try:
        yield path
    except BaseException:
        if given is None:
            say(f"The data and the logs are kept in {path}.")
        raise
    if given is None:
        shutil.rmtree(path, ignore_errors=True)


async def demonstrate(plan: Plan, console: Console, count: int) -> bool:
    """Run `count` tasks, show them, and return True.

    Raises StartFailed, alone or in a group, when something does not start, or a task is missing or ended otherwise
    than it was meant to.
    """
    with plan.folder.held(stop_seconds(plan.settings)):
        async with running(plan) as installation:
            console.say(f"Gateway at {installation.address}. Creating {count} tasks and watching them:")
            try:
                async with Client(installation.address) as client:
                    await _perform(_plan_run(client, count), console)
            except* TaskwireError as group:
                raise StartFailed(f"The gateway refuses: {_first(group)}") from group
            console.say("Stopping everything.")
    return True


def _plan_run(client: Client, count: int) -> Run:
    name = uuid4().hex[:12]
    orders = make_orders(count, name)
    return Run(orders=orders, selector=Selector(labels={LABEL: name}), board=Board(orders), client=client)


def _first(group: BaseExceptionGroup[TaskwireError]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _perform(run: Run, console: Console) -> None:
    began = monotonic()
    async with _watched(run), asyncio.TaskGroup() as group:
        display = group.create_task(_display(run.board, console, began))
        group.create_task(_create(run))
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while not run.board.is_finished:
                    await asyncio.sleep(_DRAW_SECONDS)
        except TimeoutError:
            console.say(f"Not all tasks have ended after {_PATIENCE_SECONDS:.0f} s.")
        display.cancel()
    stored = [task async for task in run.client.list(run.selector)]
    summarize(run, stored, console, monotonic() - began)


def summarize(run: Run, stored: Sequence[TaskInfo], console: Console, seconds: float) -> None:
    """Print how the tasks ended. Raises StartFailed when not all of them did as they were meant to."""
    totals, problems = run.board.totals(), run.board.problems(stored)
    ends = ", ".join(f"{totals[state]} {state.name.lower()}" for state in TaskState if totals[state])
    console.say(f"{len(run.orders)} tasks in {seconds:.1f} s: {ends}. {run.board.changes} changes were watched.")
    for problem in problems[:_PROBLEMS_SHOWN_MAX]:
        console.say(f"  {problem}")
    if problems:
        raise StartFailed(f"The demo has found {len(problems)} things that are not as they should be.")
    console.say("Every task is accounted for and ended as it was meant to; no change was missed.")


async def _create(run: Run) -> None:
    for start in range(0, len(run.orders), _BATCH):
        await run.client.create_many(order.task for order in run.orders[start : start + _BATCH])
    async with asyncio.TaskGroup() as group:
        for order in run.orders:
            if order.kind.cancelled:
                group.create_task(_cancel(run, order))


async def _cancel(run: Run, order: Order) -> None:
    """Cancel a task, if it is one that starts at once then while it runs."""
    deadline = monotonic() + (0 if order.kind.delay_seconds else _CANCEL_PATIENCE_SECONDS)
    while monotonic() < deadline and not run.board.has_state(order.task_id, TaskState.RUNNING):
        await asyncio.sleep(_DRAW_SECONDS)
    await run.client.cancel(order.task_id, reason="the demo wants to see it")


@asynccontextmanager
async def _watched(run: Run) -> AsyncIterator[None]:
    """Keep the board up to date from before the first task until the block ends."""
    started = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(_watch(run, started))
        async with asyncio.timeout(_FIRST_MESSAGE_SECONDS):
            await started.wait()
        try:
            yield
        finally:
            watch.cancel()


async def _watch(run: Run, started: asyncio.Event) -> None:
    async with aclosing(run.client.watch_all(run.selector)) as changes:
        async for change in changes:
            for task in change.tasks:
                run.board.note(task)
            started.set()


async def _display(board: Board, console: Console, began: float) -> None:
    shown = -1
    while True:
        try:
            await asyncio.sleep(_DRAW_SECONDS if console.is_terminal else _LINE_SECONDS)
        finally:
            # Also when told to end: the last picture is the one that stays.
            if console.is_terminal:
                console.draw(board.table(monotonic() - began))
            elif board.changes != shown:
                console.say(board.line(monotonic() - began))
            shown = board.changes

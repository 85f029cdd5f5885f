"""The run of the demo, from the first task to the summary."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic
from uuid import uuid4

import grpc
from msgspec import Struct

from taskwire.v1 import task_pb2, task_service_pb2
from taskwire.v1.task_service_pb2_grpc import TaskServiceAsyncStub, TaskServiceStub
from taskwire_dev.console import Console
from taskwire_dev.demo.board import Board
from taskwire_dev.demo.orders import LABEL, Order, make_orders
from taskwire_dev.failure import StartFailed
from taskwire_dev.installation import Plan, running
from taskwire_dev.supervisor import Say
from taskwire_shared.domain.task import TaskState

_BATCH = 100
_CALL_SECONDS = 10.0
_PATIENCE_SECONDS = 120.0
"""500 tasks take about 10 s on two cores."""
_CANCEL_PATIENCE_SECONDS = 2.0
"""How long a task that is to be cancelled while it runs may take to start; then it is cancelled anyway."""
_DRAW_SECONDS = 0.1
_LINE_SECONDS = 1.0
_RESUME_PAUSE_SECONDS = 0.2
_PROBLEMS_SHOWN_MAX = 20


class Run(Struct, frozen=True, kw_only=True):
    """One run of the demo."""

    name: str
    orders: Sequence[Order]
    board: Board
    service: "TaskServiceAsyncStub"

    @property
    def selector(self) -> task_service_pb2.TaskSelector:
        """Return what picks the tasks of this run and no others."""
        return task_service_pb2.TaskSelector(labels={LABEL: self.name})


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
    with plan.folder.held():
        async with running(plan) as installation:
            console.say(f"Gateway at {installation.address}. Creating {count} tasks and watching them:")
            async with grpc.aio.insecure_channel(installation.address) as channel:
                name = uuid4().hex[:12]
                orders = make_orders(count, name)
                run = Run(name=name, orders=orders, board=Board(orders), service=TaskServiceStub(channel))
                try:
                    await _perform(run, console)
                except* grpc.aio.AioRpcError as group:
                    raise _as_failure(group) from None
            console.say("Stopping everything.")
    return True


def _as_failure(group: BaseExceptionGroup[grpc.aio.AioRpcError]) -> StartFailed:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    code, details = (error.code().name, error.details()) if isinstance(error, grpc.aio.AioRpcError) else ("", "")
    return StartFailed(f"The gateway answers {code}: {details}")


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
    stored = [task async for task in _stored(run)]
    summarize(run, stored, console, monotonic() - began)


def summarize(run: Run, stored: Sequence[task_pb2.Task], console: Console, seconds: float) -> None:
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
        requests = [order.request for order in run.orders[start : start + _BATCH]]
        await run.service.BatchCreateTasks(
            task_service_pb2.BatchCreateTasksRequest(requests=requests), timeout=_CALL_SECONDS
        )
    async with asyncio.TaskGroup() as group:
        for order in run.orders:
            if order.kind.cancelled:
                group.create_task(_cancel(run, order))


async def _cancel(run: Run, order: Order) -> None:
    """Cancel a task, if it is one that starts at once then while it runs."""
    deadline = monotonic() + (0 if order.kind.delay_seconds else _CANCEL_PATIENCE_SECONDS)
    while monotonic() < deadline and not run.board.has_state(order.task_id, TaskState.RUNNING):
        await asyncio.sleep(_DRAW_SECONDS)
    request = task_service_pb2.CancelTaskRequest(task_id=order.task_id, reason="the demo wants to see it")
    await run.service.CancelTask(request, timeout=_CALL_SECONDS)


@asynccontextmanager
async def _watched(run: Run) -> AsyncIterator[None]:
    """Keep the board up to date from before the first task until the block ends."""
    started = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(_watch(run, started))
        async with asyncio.timeout(_CALL_SECONDS):
            await started.wait()
        try:
            yield
        finally:
            watch.cancel()


async def _watch(run: Run, started: asyncio.Event) -> None:
    token = ""
    while True:
        request = task_service_pb2.WatchTasksRequest(selector=run.selector, resume_token=token)
        try:
            async for message in run.service.WatchTasks(request, wait_for_ready=True):
                for task in message.changes.tasks:
                    run.board.note(task)
                token = message.resume_token
                started.set()
        except grpc.aio.AioRpcError as error:
            # Both mean "go on from the token".
            if error.code() not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED}:
                raise
        await asyncio.sleep(_RESUME_PAUSE_SECONDS)


async def _stored(run: Run) -> AsyncIterator[task_pb2.Task]:
    token = ""
    while True:
        request = task_service_pb2.ListTasksRequest(selector=run.selector, page_size=500, page_token=token)
        page = await run.service.ListTasks(request, timeout=_CALL_SECONDS)
        for task in page.tasks:
            yield task
        token = page.next_page_token
        if not token:
            return


async def _display(board: Board, console: Console, began: float) -> None:
    while True:
        try:
            await asyncio.sleep(_DRAW_SECONDS if console.is_terminal else _LINE_SECONDS)
        finally:
            # Also when told to end: the last picture is the one that stays.
            seconds = monotonic() - began
            if console.is_terminal:
                console.draw(board.table(seconds))
            else:
                console.say(board.line(seconds))

"""P1: what was accepted is in the database, as it was asked for."""

from collections.abc import Iterator

import msgspec

from taskwire_chaos.books import TaskRow
from taskwire_chaos.handlers import Wish
from taskwire_chaos.history import History
from taskwire_chaos.journal import ABSENT, Call, ServerSaid, WatchEnded, WatchOpened
from taskwire_chaos.load.kinds import asked_for

BATCH = "batch"
"""The content of a call of many tasks: each of them has its own id in its input."""
_TENANT = "default"
"""Of everybody who creates. The foreign caller only tries to get at what is there."""


def check(history: History) -> Iterator[str]:
    """Give every task that was accepted and is not there, and every statement that was cancelled by who sent it."""
    tasks = history.books.tasks
    for call, reply in history.calls("create"):
        if reply is None or reply.verdict != "ok":
            continue
        for task_id in reply.tasks:
            if task_id not in tasks:
                yield f"task {task_id} was accepted and is not there"
            else:
                yield from _check_row(call, tasks[task_id])
        if len(reply.tasks) != max(1, len(call.tasks)) or (call.tasks and reply.tasks != call.tasks):
            yield f"the create of {call.tasks} was answered with {reply.tasks}"
    yield from _check_absences(history)
    for said in history.all(ServerSaid):
        if "due to user request" in said.what:
            yield f"a statement was cancelled by its caller, so that nobody knows what became of it: {said.what}"


def _check_row(call: Call, task: TaskRow) -> Iterator[str]:
    if _tag(task.input) != (task.id if call.content == BATCH else call.content):
        yield f"task {task.id} was accepted with the content {call.content} and has another"
    types, attempts = asked_for(call.kind)
    if task.type not in types or task.max_attempts != attempts or task.tenant != _TENANT:
        wanted = f"{' or '.join(sorted(types))} with {attempts} attempts"
        yield f"task {task.id}, accepted as {wanted}, is {task.type} with {task.max_attempts}, of {task.tenant}"


def _tag(input_: str | None) -> str:
    return msgspec.json.decode(input_ or "{}", type=Wish).tag


def _check_absences(history: History) -> Iterator[str]:
    """Give every task that was accepted, and that somebody who asked for it afterwards was told not to be there."""
    accepted: dict[str, float] = {}
    for _, reply in history.calls("create"):
        if reply is not None and reply.verdict == "ok":
            for task_id in reply.tasks:
                accepted[task_id] = min(reply.at, accepted.get(task_id, reply.at))
    for call, reply in history.calls("get", "cancel"):
        if reply is not None and reply.reason == "TASK_NOT_FOUND" and accepted.get(call.tasks[0], call.at) < call.at:
            yield f"task {call.tasks[0]} was accepted, and a {call.method} was told that it is not there"
    for opened in _told_absent(history):
        if accepted.get(opened.task, opened.at) < opened.at:
            yield f"task {opened.task} was accepted, and watch {opened.watch} was told that it is not there"


def _told_absent(history: History) -> Iterator[WatchOpened]:
    opened: dict[str, WatchOpened] = {}
    for record in history.read((WatchOpened, WatchEnded)):
        if isinstance(record, WatchOpened):
            opened[record.watch] = record
        elif isinstance(record, WatchEnded) and record.how == ABSENT and record.watch in opened:
            yield opened[record.watch]

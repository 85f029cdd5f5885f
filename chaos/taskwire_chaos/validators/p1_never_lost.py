"""P1: what was accepted is in the database, with the content that was accepted."""

from collections.abc import Iterator

import msgspec

from taskwire_chaos.handlers import Wish
from taskwire_chaos.history import History
from taskwire_chaos.journal import ServerSaid


def check(history: History) -> Iterator[str]:
    """Give every task that was accepted and is not there, and every statement that was cancelled by who sent it."""
    tasks = history.books.tasks
    for call, reply in history.calls("create"):
        if reply is None or reply.verdict != "ok":
            continue
        for task_id in reply.tasks:
            if task_id not in tasks:
                yield f"task {task_id} was accepted and is not there"
            elif call.content not in {"batch", _tag(tasks[task_id].input)}:
                yield f"task {task_id} was accepted with the content {call.content} and has another"
        if call.tasks and set(reply.tasks) != set(call.tasks):
            yield f"the create of {call.tasks} was answered with {reply.tasks}"
    for said in history.all(ServerSaid):
        if "due to user request" in said.what:
            yield f"a statement was cancelled by its caller, so that nobody knows what became of it: {said.what}"


def _tag(input_: str | None) -> str:
    return msgspec.json.decode(input_ or "{}", type=Wish).tag

"""P2: one id or key is one task, and one content."""

from collections import defaultdict
from collections.abc import Iterator

from taskwire_chaos.history import History
from taskwire_chaos.journal import ServerSaid


def check(history: History) -> Iterator[str]:
    """Give every key with two tasks, every id or key with two contents, and batches that got in each other's way."""
    yield from _check_keys(history)
    yield from _check_contents(history)
    for said in history.all(ServerSaid):
        if "deadlock detected" in said.what:
            yield f"two batches waited for each other: {said.what}"


def _check_keys(history: History) -> Iterator[str]:
    by_key: defaultdict[str, set[str]] = defaultdict(set)
    for task in history.books.tasks.values():
        if task.key is not None:
            by_key[task.key].add(task.id)
    for key, ids in by_key.items():
        if len(ids) > 1:
            yield f"the key {key} has {len(ids)} tasks: {sorted(ids)}"


def _check_contents(history: History) -> Iterator[str]:
    contents: defaultdict[str, set[str]] = defaultdict(set)
    for call, reply in history.calls("create"):
        if reply is not None and reply.verdict == "ok":
            for name in (call.key,) if call.key else call.tasks:
                contents[name].add(call.content)
    for name, accepted in contents.items():
        if len(accepted) > 1:
            yield f"{name} was accepted with {len(accepted)} contents"

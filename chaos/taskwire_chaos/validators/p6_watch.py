"""P6: every watcher sees every version in order, each once, as it was, to the end."""

from collections import defaultdict
from collections.abc import Iterator

from taskwire_chaos.history import FINAL, History, WatchHistory


def check(history: History) -> Iterator[str]:
    """Give whatever a watch missed, repeated, mixed up or made up."""
    for watch in history.watches():
        yield from _check_order(watch)
        yield from _check_truth(history, watch)
        if watch.opened.task:
            yield from _check_end(watch)
        else:
            yield from _check_whole(history, watch)


def _name(watch: WatchHistory) -> str:
    return f"watch {watch.opened.watch}" + (f" of task {watch.opened.task}" if watch.opened.task else "")


def _check_order(watch: WatchHistory) -> Iterator[str]:
    last: dict[str, int] = {}
    for task_id, version, _, _ in watch.changes:
        before = last.get(task_id)
        if before is not None and version <= before:
            yield f"{_name(watch)} saw version {version} of task {task_id} after {before}"
        elif before is not None and version != before + 1:
            yield f"{_name(watch)} missed what task {task_id} was between versions {before} and {version}"
        last[task_id] = version


def _check_truth(history: History, watch: WatchHistory) -> Iterator[str]:
    for task_id, version, state, attempt in watch.changes:
        events = history.books.events.get(task_id, ())
        event = events[version - 1] if version <= len(events) else None
        if event is None or (event.state, event.attempt - event.excused) != (state, attempt):
            yield f"{_name(watch)} saw task {task_id} at version {version} as it never was"


def _check_end(watch: WatchHistory) -> Iterator[str]:
    if watch.ended == "left":
        return
    if watch.ended != "final":
        yield f"{_name(watch)} did not come to the end: {watch.ended or 'its process died'}"
    elif not watch.changes or watch.changes[-1][2] not in FINAL:
        yield f"{_name(watch)} ended before its task"


def _check_whole(history: History, watch: WatchHistory) -> Iterator[str]:
    """A watch of everything that was open from the beginning has seen everything."""
    if watch.ended:
        yield f"{_name(watch)} ended with {watch.ended}"
    seen: defaultdict[str, int] = defaultdict(int)
    for task_id, *_ in watch.changes:
        seen[task_id] += 1
    for task_id, events in history.books.events.items():
        if events[0].tenant == "default" and seen[task_id] != len(events):
            yield f"{_name(watch)} saw {seen[task_id]} of the {len(events)} versions of task {task_id}"

"""P4: one final state, reached once, by the attempt that held the task; and a history that says how."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec

from taskwire_chaos.books import EventRow, TaskRow
from taskwire_chaos.history import FINAL, RUNNING, SUCCEEDED, History
from taskwire_shared.domain.transitions import LEGAL_STEPS

LEASE_SLACK = timedelta(seconds=1)
"""A claim that began just before somebody else ended the lease, but had not seen that yet, is right."""


def check(history: History) -> Iterator[str]:
    """Give every history that cannot be, every result of another attempt, and every claim without a lease."""
    for task in history.books.tasks.values():
        events = history.books.events.get(task.id, ())
        yield from _check_course(task, events)
        yield from _check_attempts(task, events)
    for task_id in history.books.events.keys() - history.books.tasks.keys():
        yield f"task {task_id} has a history and no row"
    yield from _check_leases(history)
    yield from _check_runs(history)
    yield from _check_replies(history)
    yield from _check_order(history)


def _check_course(task: TaskRow, events: Sequence[EventRow]) -> Iterator[str]:
    versions = [event.version for event in events]
    if versions != list(range(1, task.version + 1)):
        yield f"task {task.id} is at version {task.version} and has the versions {versions}"
        return
    states: list[int | None] = [None, *(event.state for event in events)]
    for before, after in pairwise(states):
        if (before, after) not in LEGAL_STEPS:
            yield f"task {task.id} went from {before} to {after}"
    ends = sum(state in FINAL for state in states)
    if ends > 1:
        yield f"task {task.id} has {ends} ends"
    if events and (events[-1].state, events[-1].attempt) != (task.state, task.attempt):
        yield f"task {task.id} is not what its last event says"


def _check_attempts(task: TaskRow, events: Sequence[EventRow]) -> Iterator[str]:
    attempt, state = 0, 0
    for event in events:
        is_claim = event.state == RUNNING and state != RUNNING
        if event.attempt != attempt + is_claim:
            yield f"task {task.id} went from attempt {attempt} to {event.attempt} at version {event.version}"
        attempt, state = event.attempt, event.state
    if task.state == SUCCEEDED:
        said: dict[str, Any] = msgspec.json.decode(task.output or "{}")
        if said != {"task": task.id, "attempt": task.attempt}:
            yield f"task {task.id} ended with attempt {task.attempt} and has the result of {said}"


def _check_leases(history: History) -> Iterator[str]:
    processors = history.books.processors
    for task_id, events in history.books.events.items():
        before = 0
        for event in events:
            processor = processors.get(event.processor or "")
            is_claim = event.state == RUNNING and before != RUNNING
            if is_claim and processor is not None and event.at > processor.lease_until + LEASE_SLACK:
                yield f"task {task_id} was claimed by {processor.id} after its lease had passed"
            before = event.state


def _check_runs(history: History) -> Iterator[str]:
    for task_id, runs in history.ledger().items():
        starts = Counter(run.attempt for run in runs if run.what == "start")
        for attempt, count in starts.items():
            if count > 1:
                yield f"attempt {attempt} of task {task_id} was started {count} times"


def _check_replies(history: History) -> Iterator[str]:
    for call, reply in history.calls("create", "get", "cancel"):
        if reply is None:
            continue
        if reply.verdict == "ok" and call.method != "create" and reply.tasks != call.tasks:
            yield f"a {call.method} of task {call.tasks} was answered with {reply.tasks}"
        for task_id, state, version in zip(reply.tasks, reply.states, reply.versions, strict=False):
            events = history.books.events.get(task_id, ())
            if version > len(events) or events[version - 1].state != state:
                yield f"a {call.method} showed task {task_id} at version {version} as {state}, which it never was"


def _check_order(history: History) -> Iterator[str]:
    """Give every answer that shows an older version than one that had come before the call was made."""
    shown: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for call, reply in history.calls("create", "get", "cancel"):
        if reply is None:
            continue
        for task_id, version in zip(reply.tasks, reply.versions, strict=False):
            newest = max((one for at, one in shown[task_id] if at < call.at), default=0)
            if version < newest:
                yield f"a {call.method} showed task {task_id} at version {version} after it was shown at {newest}"
            shown[task_id].append((reply.at, version))

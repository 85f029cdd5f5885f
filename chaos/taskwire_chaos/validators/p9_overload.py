"""P9: refusals say when to come back, nothing falls over by itself, and nothing is held on to."""

import signal
from collections.abc import Iterator

from taskwire_chaos.counts import REFUSALS
from taskwire_chaos.history import History
from taskwire_chaos.journal import Exited, Held, Idle

_FAULTS = frozenset({"INTERNAL", "UNKNOWN", "UNIMPLEMENTED", "DATA_LOSS"})
MARGINS = {"memory": 16 * 1024**2, "descriptors": 6, "tasks": 6, "postgres": 3, "nats": 0, "consumers": 0}
"""A pool that was never full before may be fuller (6 connections at most), and allocators keep some pages."""
_NAMES = {
    "memory": "bytes of memory",
    "descriptors": "descriptors",
    "tasks": "asyncio tasks",
    "postgres": "connections to Postgres",
    "nats": "connections to NATS",
    "consumers": "consumers",
}


def check(history: History) -> Iterator[str]:
    """Give refusals without a hint, internal errors, services that gave up, and what was not given back."""
    for call, reply in history.calls():
        if reply is None:
            continue
        if reply.reason in REFUSALS and not reply.has_retry_info:
            yield f"a {call.method} was refused with {reply.reason}, and without a time to come back"
        if reply.reason in _FAULTS:
            yield f"a {call.method} was answered with {reply.reason}"
    for idle in history.all(Idle):
        yield f"a connection of {idle.connection} was left inside a transaction"
    for exited in history.all(Exited):
        # A failpoint is a SIGKILL by its own hand.
        if exited.exit_code != -signal.SIGKILL:
            yield f"the {exited.service} ended by itself with {exited.exit_code}"
    yield from _check_held(history)


def _check_held(history: History) -> Iterator[str]:
    before: dict[str, Held] = {}
    for held in history.all(Held):
        if held.when == "before":
            before[held.service] = held
        elif held.pid != before[held.service].pid:
            yield f"the {held.service} is not the one that was there before the faults"
        else:
            yield from _grown(before[held.service], held)


def _grown(before: Held, after: Held) -> Iterator[str]:
    for name, margin in MARGINS.items():
        was, now = getattr(before, name), getattr(after, name)
        if now > was + margin:
            yield f"the {after.service} held {was} {_NAMES[name]} before the faults and {now} afterwards"

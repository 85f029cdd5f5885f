"""How often a run has tried what a promise is about. Each count has a rule, so that a sceptic can count again."""

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from taskwire_chaos.faults.crowd import FLOOD_SECONDS, OVERLOAD
from taskwire_chaos.history import FINAL, History
from taskwire_chaos.journal import Call, Ran, Reply, Struck, WatchOpened
from taskwire_chaos.layout import RunFolder
from taskwire_chaos.load.kinds import POISON

REFUSALS = frozenset({"QUEUE_FULL", "OVERLOADED", "TOO_MANY_WATCHES"})
_TOO_MUCH = frozenset({"QUEUE_FULL", "OVERLOADED"})
"""Why a task is not taken when there are too many."""
OVERLOAD_TIMES = 5
_STORE_LOSSES = ("wipe nats", "roll back nats", "corrupt nats")
_COUNT_SECONDS = 300.0
WATCH_SECONDS = 0.025
"""A call takes some milliseconds to get to a gateway that is busy, and a gateway as many to hear of a transition."""


def count(history: History) -> Mapping[str, int]:
    """Count by these rules.

    Kills, crashes and losses are strikes of the fault of that name at something that ran. A *cancel race* is a cancel
    that was under way at some moment between the end of a handler, by the handler's own record, and the moment when
    the database has its task's end. A *watch race* is a watch of one task of which the database has a transition
    within 25 ms of the moment when the watch was called for. A *poison task* is one that is
    stored. An *overload* is a flood in whose five seconds clients offered at least five times the tasks that gateways
    took, by the answers of the gateways alone: a call that nobody answered is no offer.
    """
    faults = history.faults()
    return {
        "processor kills": faults["kill processor"],
        "gateway kills": faults["kill gateway"],
        "NATS kills": faults["kill nats"],
        "losses of the NATS store": sum(faults[name] for name in _STORE_LOSSES),
        "Postgres crashes": faults["crash postgres"],
        "cancel races": sum(1 for _ in _cancel_races(history)),
        "watch races": sum(1 for _ in _watch_races(history)),
        "poison tasks": _poison(history),
        "overloads": sum(taken * OVERLOAD_TIMES <= offered for offered, taken in floods(history)),
        **_replies(history),
    }


async def count_beside(folder: RunFolder) -> Mapping[str, int]:
    """Count what is in a folder so far, in a process of its own: it takes seconds, and here are the proxies."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "taskwire_chaos", "count", folder.path, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_COUNT_SECONDS):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return msgspec.json.decode(said, type=dict[str, int])


def _cancel_races(history: History) -> Iterator[str]:
    ends = {ran.task: ran.at for ran in history.all(Ran) if ran.what == "end"}
    for call, reply in history.calls("cancel"):
        [task] = call.tasks
        events = history.books.events.get(task)
        if reply is None or task not in ends or not events or events[-1].state not in FINAL:
            continue
        final = max(ends[task], events[-1].at.timestamp())
        if call.at <= final and ends[task] <= reply.at:
            yield task


def _watch_races(history: History) -> Iterator[str]:
    for opened in history.all(WatchOpened):
        if opened.task:
            waits = (event.at.timestamp() - opened.at for event in history.books.events.get(opened.task, ()))
            if any(abs(wait) <= WATCH_SECONDS for wait in waits):
                yield opened.watch


def _poison(history: History) -> int:
    kinds = history.kinds()
    return sum(kinds.get(task) in POISON for task in history.books.tasks)


def floods(history: History) -> Sequence[tuple[int, int]]:
    """Return, for each flood that met a refusal, how many tasks gateways were offered and how many they took."""
    begun = [struck.at for struck in history.all(Struck) if struck.fault == OVERLOAD]
    offered, taken = dict.fromkeys(begun, 0), dict.fromkeys(begun, 0)
    for call, reply in history.calls("create"):
        during = [at for at in begun if at <= call.at <= at + FLOOD_SECONDS]
        if not during or reply is None or not (reply.verdict == "ok" or reply.reason in _TOO_MUCH):
            continue
        # A create under a key alone has no id until it is answered.
        tasks = len(call.tasks) or 1
        offered[during[0]] += tasks
        taken[during[0]] += tasks * (reply.verdict == "ok")
    return [(offered[at], taken[at]) for at in begun if offered[at] > taken[at]]


def _replies(history: History) -> Mapping[str, int]:
    cancels = watches = unknown = refused = 0
    for record in history.read((Call, Reply, WatchOpened)):
        if isinstance(record, Call):
            cancels += record.method == "cancel"
        elif isinstance(record, WatchOpened):
            watches += bool(record.task)
        elif isinstance(record, Reply):
            unknown += record.verdict == "unknown"
            refused += record.reason in REFUSALS
    return {"cancels": cancels, "watches": watches, "refusals": refused, "calls without an answer": unknown}

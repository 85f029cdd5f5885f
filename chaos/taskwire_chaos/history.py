"""One run, as everybody saw it and as the database has it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from taskwire_chaos.books import Books, read_books
from taskwire_chaos.journal import Call, Ran, Record, Reply, Rung, Seen, Struck, WatchEnded, WatchOpened, read_journals
from taskwire_chaos.layout import Facts, RunFolder
from taskwire_chaos.load.kinds import POISON

R = TypeVar("R")
FINAL = frozenset({4, 5, 6})
RUNNING, SUCCEEDED, FAILED, CANCELLED = 3, 4, 5, 6


class WatchHistory(Struct, frozen=True):
    """What one watch saw."""

    opened: WatchOpened
    changes: Sequence[tuple[str, int, int, int]]
    """Task, version, state and attempt, in the order of arrival."""
    ended: str
    """How; empty where it went on until the end of the run."""


class History(Struct, frozen=True):
    """One run."""

    facts: Facts
    records: Sequence[Record]
    books: Books

    def all(self, kind: type[R]) -> list[R]:
        """Return the records of one kind by time."""
        return [record for record in self.records if isinstance(record, kind)]

    def calls(self, method: str) -> list[tuple[Call, Reply | None]]:
        """Return the calls of a method with what came of them, None where the caller was killed."""
        replies = {reply.op: reply for reply in self.all(Reply)}
        return [(call, replies.get(call.op)) for call in self.all(Call) if call.method == method]

    def ledger(self) -> Mapping[str, list[Ran]]:
        """Return what handlers have noted, by task."""
        by_task: defaultdict[str, list[Ran]] = defaultdict(list)
        for ran in self.all(Ran):
            by_task[ran.task].append(ran)
        return by_task

    def kinds(self) -> Mapping[str, str]:
        """Return the kind of each task that was created under one."""
        return {task: call.kind for call in self.all(Call) if call.kind for task in call.tasks}

    def rung(self) -> set[str]:
        """Return every task that was rung for."""
        return {task for ring in self.all(Rung) for task in ring.tasks}

    def watches(self) -> list[WatchHistory]:
        """Return what each watch saw. One that went on after a kill is one watch."""
        opened: dict[str, WatchOpened] = {}
        for record in self.all(WatchOpened):
            opened.setdefault(record.watch, record)
        changes: defaultdict[str, list[tuple[str, int, int, int]]] = defaultdict(list)
        for seen in self.all(Seen):
            changes[seen.watch].extend(seen.changes)
        ended = {record.watch: record.how for record in self.all(WatchEnded)}
        return [WatchHistory(one, changes[watch], ended.get(watch, "")) for watch, one in opened.items()]

    def counts(self) -> Mapping[str, int]:
        """Return how often what makes races was done."""
        kinds = [call.kind for call, _ in self.calls("create")]
        return {
            "cancels": len(self.calls("cancel")),
            "watches": sum(bool(watch.opened.task) for watch in self.watches()),
            "poison tasks": sum(kind in POISON for kind in kinds),
            "calls without an answer": sum(reply.verdict == "unknown" for reply in self.all(Reply)),
        }

    def faults(self) -> Mapping[str, int]:
        """Return how often each fault has struck."""
        counts: defaultdict[str, int] = defaultdict(int)
        for struck in self.all(Struck):
            counts[struck.fault] += 1
        return counts


def read_history(folder: RunFolder) -> History:
    """Read a run from its folder."""
    return History(folder.facts(), read_journals(folder.journals.glob("*.jsonl")), read_books(folder.books))

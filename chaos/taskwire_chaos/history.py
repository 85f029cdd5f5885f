"""One run, as everybody saw it and as the database has it.

What everybody saw is read from the journals again whenever somebody asks, a kind at a time: an hour of it does not fit
into memory.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar, cast

from msgspec import Struct

from taskwire_chaos.books import Books, read_books
from taskwire_chaos.journal import Call, Ran, Record, Reply, Rung, Struck, read_journals
from taskwire_chaos.layout import Facts, RunFolder

R = TypeVar("R", bound=Record)
FINAL = frozenset({4, 5, 6})
RUNNING, SUCCEEDED, FAILED, CANCELLED = 3, 4, 5, 6


class History(Struct, frozen=True):
    """One run."""

    facts: Facts
    read: Callable[[Sequence[type[Record]]], Iterator[Record]]
    """Gives the records of some kinds. Those of one writer are in the order in which it wrote them."""
    books: Books

    def all(self, kind: type[R]) -> Iterator[R]:
        """Give the records of one kind."""
        return cast("Iterator[R]", self.read((cast("type[Record]", kind),)))

    def calls(self, *methods: str) -> Iterator[tuple[Call, Reply | None]]:
        """Give the calls of some methods, or all, with what came of them, None where the caller was killed."""
        waiting: dict[str, Call] = {}
        for record in self.read((Call, Reply)):
            if isinstance(record, Call):
                if not methods or record.method in methods:
                    waiting[record.op] = record
            elif isinstance(record, Reply) and record.op in waiting:
                yield waiting.pop(record.op), record
        for call in waiting.values():
            yield call, None

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

    def faults(self) -> Counter[str]:
        """Return how often each fault has struck."""
        return Counter(struck.fault for struck in self.all(Struck))


def read_history(folder: RunFolder) -> History:
    """Open a run in its folder."""
    files = sorted(folder.journals.glob("*.jsonl"))
    return History(folder.facts(), partial(read_journals, files), read_books(folder.books))

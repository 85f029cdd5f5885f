"""P6: every watcher sees every version in order, each once, as it was, to the end."""

from collections.abc import Iterator, Mapping, Sequence

from taskwire_chaos.books import EventRow
from taskwire_chaos.history import FINAL, History
from taskwire_chaos.journal import ABSENT, PROMOTED, Phase, Seen, WatchEnded, WatchOpened

_EXPIRED = "RESUME_TOKEN_EXPIRED"

Events = Mapping[str, Sequence[EventRow]]


class _Eye:
    """One watch as it is read: a watch of everything does not fit into memory, what it knows of each task does."""

    def __init__(self, opened: WatchOpened) -> None:
        self.opened = opened
        self.versions: dict[str, int] = {}
        """The last one that was seen of each task."""
        self.counts: dict[str, int] = {}
        """How many were seen of each task."""
        self.state = 0
        """The last one that was seen."""

    def __str__(self) -> str:
        return f"watch {self.opened.watch}" + (f" of task {self.opened.task}" if self.opened.task else "")

    def see(self, seen: Seen, events: Events) -> Iterator[str]:
        for task_id, version, state, attempt in seen.changes:
            before = self.versions.get(task_id)
            if self.opened.task and task_id != self.opened.task:
                yield f"{self} saw task {task_id}"
            if before is None and self.opened.after is not None and version != self.opened.after + 1:
                yield f"{self} was to begin behind version {self.opened.after}, and began with {version}"
            if before is not None and version <= before:
                yield f"{self} saw version {version} of task {task_id} after {before}"
            elif before is not None and version != before + 1:
                yield f"{self} missed what task {task_id} was between versions {before} and {version}"
            if not _was(events.get(task_id, ()), version, state, attempt):
                yield f"{self} saw task {task_id} at version {version} as it never was"
            self.versions[task_id] = version
            self.counts[task_id] = self.counts.get(task_id, 0) + 1
            self.state = state


def check(history: History) -> Iterator[str]:
    """Give whatever a watch missed, repeated, mixed up or made up."""
    events = history.books.events
    promotions = [phase.at for phase in history.all(Phase) if phase.name == PROMOTED]
    open_: dict[str, _Eye] = {}
    for record in history.read((WatchOpened, Seen, WatchEnded)):
        if isinstance(record, WatchOpened):
            # One that went on after a kill is one watch.
            open_.setdefault(record.watch, _Eye(record))
        elif isinstance(record, Seen):
            eye = open_.get(record.watch)
            if eye is None:
                yield f"watch {record.watch} saw {len(record.changes)} changes after its end"
            else:
                yield from eye.see(record, events)
        elif isinstance(record, WatchEnded) and record.watch in open_:
            eye = open_.pop(record.watch)
            # After a promotion nobody can tell whether the new primary has everything: clients are told to begin anew.
            if record.how != _EXPIRED or not any(eye.opened.at < at < record.at for at in promotions):
                yield from _check_end(eye, record.how, events)
    for eye in open_.values():
        yield from _check_end(eye, "", events)


def _was(events: Sequence[EventRow], version: int, state: int, attempt: int) -> bool:
    event = events[version - 1] if version <= len(events) else None
    return event is not None and (event.state, event.attempt - event.excused) == (state, attempt)


def _check_end(eye: _Eye, how: str, events: Events) -> Iterator[str]:
    if not eye.opened.task:
        yield from _check_whole(eye, how, events)
    elif how == ABSENT:
        if eye.versions:
            yield f"{eye} was told that the task is not there, after it had seen it"
    elif how != "left":
        if how != "final":
            yield f"{eye} did not come to the end: {how or 'its process died'}"
        elif eye.state not in FINAL:
            yield f"{eye} ended before its task"


def _check_whole(eye: _Eye, how: str, events: Events) -> Iterator[str]:
    """A watch of everything has seen everything since it was opened, up to the end."""
    if how:
        yield f"{eye} ended with {how}"
    for task_id, own in events.items():
        later = sum(event.at.timestamp() > eye.opened.at for event in own)
        seen = eye.counts.get(task_id, 0)
        if own[0].tenant == "default" and (seen < later or (seen and eye.versions[task_id] != len(own))):
            yield f"{eye} saw {seen} of {later} or more versions of task {task_id}"

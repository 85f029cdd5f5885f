"""What everybody saw, as lines of JSON that survive the death of the process that wrote them."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec
from msgspec import Struct

Verdict = Literal["ok", "fail", "unknown"]
ABSENT = "absent"
"""How a watch ends that is told that its task is not there."""
PROMOTED = "promoted"
"""The phase that begins when a standby becomes the primary."""


class _Record(Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    at: float = msgspec.field(default_factory=time.time)
    """Seconds since 1970 by the clock of the machine, which everybody shares."""


class Call(_Record, frozen=True):
    """A client is about to make a call."""

    op: str
    method: str
    tasks: tuple[str, ...] = ()
    key: str = ""
    content: str = ""
    """What tells one content from another where an id or a key is used twice."""
    kind: str = ""


class Reply(_Record, frozen=True):
    """What came of the call `op`. "unknown": it may have happened."""

    op: str
    verdict: Verdict
    reason: str = ""
    tasks: tuple[str, ...] = ()
    states: tuple[int, ...] = ()
    versions: tuple[int, ...] = ()
    has_retry_info: bool = False


class WatchOpened(_Record, frozen=True):
    """A watch begins, or goes on after its process was killed."""

    watch: str
    task: str = ""
    """Empty for a watch of everything."""
    after: int | None = None
    """The version behind which it begins, or None for what the task is now."""
    token: str = ""


class Seen(_Record, frozen=True):
    """One message of a watch: task, version, state and number of counted attempts of each change."""

    watch: str
    changes: tuple[tuple[str, int, int, int], ...]
    token: str = ""


class WatchEnded(_Record, frozen=True):
    """A watch is over: "final" after the last version, "left" by choice, `ABSENT`, or the error."""

    watch: str
    how: str


class Ran(_Record, frozen=True):
    """A handler: "start" or "end" of an attempt."""

    task: str
    attempt: int
    what: str
    pid: int


class Rung(_Record, frozen=True):
    """A ring as NATS saw it."""

    tasks: tuple[str, ...]


class Struck(_Record, frozen=True):
    """A fault has begun."""

    fault: str
    target: str = ""


class Phase(_Record, frozen=True):
    """The campaign goes on to something else."""

    name: str


class Exited(_Record, frozen=True):
    """A service ended that nobody had killed."""

    service: str
    exit_code: int


class Overdue(_Record, frozen=True):
    """Something that is owed, though nothing has been broken for longer than it may take."""

    task: str
    """Empty where it is not about one."""
    what: str
    seconds: float


class Prompt(_Record, frozen=True):
    """How long a task waited for its start when everything was healthy and at rest."""

    task: str
    seconds: float


class CancelTook(_Record, frozen=True):
    """How long it took at rest until a running task was cancelled."""

    task: str
    is_stubborn: bool
    seconds: float


class Recovered(_Record, frozen=True):
    """How long it took at rest until the task of a killed processor was pending again."""

    task: str
    seconds: float


class ServerSaid(_Record, frozen=True):
    """A line in the log of Postgres that must not be there."""

    what: str


class Idle(_Record, frozen=True):
    """A connection that was left inside a transaction."""

    connection: str


class Held(_Record, frozen=True):
    """The least that a service held on to for some seconds, "before" or "after" the faults."""

    service: str
    when: str
    pid: int
    memory: int
    """Bytes that are resident."""
    descriptors: int
    tasks: int
    postgres: int
    """Connections."""
    nats: int
    consumers: int
    """Of all services together."""


class Remark(_Record, frozen=True):
    """Something about the run that its reader should know: what could not be tried here, and how something was."""

    text: str


class Finished(_Record, frozen=True):
    """A client process has finished what it had begun."""

    who: str


Record = (
    Call
    | Reply
    | WatchOpened
    | Seen
    | WatchEnded
    | Ran
    | Rung
    | Struck
    | Phase
    | Exited
    | Overdue
    | Prompt
    | CancelTook
    | Recovered
    | ServerSaid
    | Idle
    | Held
    | Remark
    | Finished
)
_LAST_BYTES = 256 * 1024
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


class Journal:
    """A file that records are added to, each with one write. To be closed, or used with `with`."""

    def __init__(self, file: Path, *, fsync: bool = False) -> None:
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._fsync = fsync

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, record: Record) -> None:
        """Add a record; with `fsync`, return when it is on disk."""
        os.write(self._descriptor, _encoder.encode(record) + b"\n")
        if self._fsync:
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def read_journal(file: Path, kinds: Sequence[type[Record]] = ()) -> Iterator[Record]:
    """Give the records of a file, or those of some kinds. A last line that was cut off by a kill is left out."""
    # What a line is can be told without reading all of it: the tag is first.
    starts = tuple(f'{{"type":"{kind.__name__}"'.encode() for kind in kinds) or (b"",)
    with file.open("rb") as lines:
        for line in lines:
            if line.startswith(starts) and line.endswith(b"\n"):
                yield _decoder.decode(line)


def read_journals(files: Iterable[Path], kinds: Sequence[type[Record]] = ()) -> Iterator[Record]:
    """Give the records of one file after the other: those of one writer by time, and never all of them in memory."""
    for file in files:
        yield from read_journal(file, kinds)


class Tail:
    """Reads on in a journal that is being written, from where it has stopped."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = 0

    def news(self) -> Iterator[Record]:
        """Give the records that have been added since."""
        with self._file.open("rb") as lines:
            lines.seek(self._offset)
            for line in lines:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield _decoder.decode(line)


def read_last(file: Path, kinds: Sequence[type[Record]]) -> Record | None:
    """Return the last record of some kinds, from the end of a file however long it is."""
    end = file.stat().st_size
    size = _LAST_BYTES
    while True:
        with file.open("rb") as lines:
            lines.seek(max(0, end - size))
            if size < end:
                lines.readline()
            starts = tuple(f'{{"type":"{kind.__name__}"'.encode() for kind in kinds)
            found = [line for line in lines if line.startswith(starts) and line.endswith(b"\n")]
        if found:
            last: Record = _decoder.decode(found[-1])
            return last
        if size >= end:
            return None
        size *= 8

"""How the commands print: JSON lines as grpcurl has them for programs, columns for people."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TextIO

from google.protobuf.json_format import MessageToJson

from taskwire.payload import Payload
from taskwire.task import QueueInfo, TaskInfo, TaskState, WaitReason

_TEXT_CHARS_MAX = 2000
_BYTES_SHOWN_MAX = 32
_CELL_CHARS_MAX = 24

_TASK_COLUMNS = (("ID", 36), ("STATE", 9), ("TYPE", 16), ("QUEUE", 12), ("ATTEMPTS", 8), ("CREATED", 19))
_QUEUE_COLUMNS = (("QUEUE", 24), ("STATE", 7))


class Output:
    """Prints tasks and queues to one stream."""

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        self._stream = stream
        self._as_json = as_json
        self._has_header = False

    def task(self, task: TaskInfo) -> None:
        """Print one task with all that is known of it."""
        if self._as_json:
            self._json(task)
        else:
            self._fields(_task_fields(task))

    def row(self, task: TaskInfo) -> None:
        """Print one task as a row of a table."""
        if self._as_json:
            self._json(task)
            return
        created = _moment(task.create_time)
        self._cells(_TASK_COLUMNS, [task.id, task.state.name, task.type, task.queue, str(task.attempt_count), created])

    def change(self, task: TaskInfo, *, name_it: bool, again: bool = False) -> None:
        """Print one version of a task as a line of its history; with `name_it` say which task it is.

        It comes `again` where only its progress is new. The service gives each version of an attempt its newest report,
        whenever that was made.
        """
        if self._as_json:
            self._json(task)
            return
        moment = task.progress.update_time if again and task.progress else task.update_time
        parts = [_clock(moment), *([task.id, _cell(task.type)] if name_it else []), f"v{task.version}", task.state.name]
        self._line("  ".join([*parts, *_remarks(task)]))

    def queue(self, queue: QueueInfo) -> None:
        """Print one queue with its counts."""
        if self._as_json:
            self._json(queue)
        else:
            self._fields(_queue_fields(queue))

    def queue_row(self, queue: QueueInfo) -> None:
        """Print one queue as a row of a table."""
        if self._as_json:
            self._json(queue)
        else:
            self._cells(_QUEUE_COLUMNS, [queue.name, "paused" if queue.paused else "active"])

    def _json(self, value: TaskInfo | QueueInfo) -> None:
        self._line(MessageToJson(value.message, indent=None))

    def _fields(self, fields: Iterable[tuple[str, str]]) -> None:
        for name, value in fields:
            if value:
                self._line(f"{name:<13}{value}")

    def _cells(self, columns: Sequence[tuple[str, int]], values: Sequence[str]) -> None:
        if not self._has_header:
            self._has_header = True
            self._line(_joined(columns, [name for name, _ in columns]))
        self._line(_joined(columns, values))

    def _line(self, text: str) -> None:
        # Flushed line by line: a watch is read while it goes on.
        print(text, file=self._stream, flush=True)


def printable(text: str) -> str:
    """Escape what would move the cursor or change colours: a payload must not control the terminal."""
    return "".join(char if char.isprintable() or char == "\t" else repr(char)[1:-1] for char in text)


def _joined(columns: Sequence[tuple[str, int]], values: Sequence[str]) -> str:
    cells = [f"{_cell(value, width):<{width}}" for (_, width), value in zip(columns, values, strict=True)]
    return "  ".join(cells).rstrip()


def _cell(text: str, width: int = _CELL_CHARS_MAX) -> str:
    shown = printable(text)
    return shown if len(shown) <= width else shown[: width - 1] + "…"


def _moment(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def _clock(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%H:%M:%S.%f")[:-3] if moment else ""


def _payload(payload: Payload | None) -> str:
    if payload is None:
        return ""
    if payload.is_text:
        text = printable(payload.text)
        return text if len(text) <= _TEXT_CHARS_MAX else f"{text[:_TEXT_CHARS_MAX]}… ({len(payload.data)} bytes)"
    shown = payload.data[:_BYTES_SHOWN_MAX].hex(" ")
    return f"{shown}{' …' if len(payload.data) > _BYTES_SHOWN_MAX else ''} ({len(payload.data)} bytes)"


def _progress(task: TaskInfo) -> str:
    return f"{task.progress.fraction:.0%} {printable(task.progress.message)}".strip() if task.progress else ""


def _remarks(task: TaskInfo) -> list[str]:
    """Say what is worth knowing of one version."""
    failure = task.failure or task.last_failure
    remarks = [
        f"attempt {task.attempt_count}" if task.attempt_count else "",
        "cancel requested" if task.cancel_request_time and not task.done else "",
        _progress(task) if task.state is TaskState.RUNNING else "",
        printable(str(failure)) if failure else "",
        _payload(task.output),
    ]
    return [remark for remark in remarks if remark]


def _task_fields(task: TaskInfo) -> list[tuple[str, str]]:
    waits = "" if task.wait_reason is WaitReason.NONE else task.wait_reason.name
    return [
        ("id", task.id),
        ("state", f"{task.state.name}{f' ({waits})' if waits else ''}"),
        ("type", printable(task.type)),
        ("queue", task.queue),
        ("priority", task.priority.name),
        ("version", str(task.version)),
        ("attempts", str(task.attempt_count)),
        ("created", _moment(task.create_time)),
        ("scheduled", _moment(task.schedule_time)),
        ("expires", _moment(task.expire_time)),
        ("started", _moment(task.start_time)),
        ("finished", _moment(task.finish_time)),
        ("cancelled", _moment(task.cancel_request_time)),
        ("processor", task.processor),
        ("retry of", task.retry_of),
        ("labels", printable(", ".join(f"{key}={value}" for key, value in sorted(task.labels.items())))),
        ("progress", _progress(task)),
        ("input", _payload(task.input)),
        ("output", _payload(task.output)),
        ("failure", printable(str(task.failure or ""))),
        ("last failure", printable(str(task.last_failure or ""))),
    ]


def _queue_fields(queue: QueueInfo) -> list[tuple[str, str]]:
    counts = [
        ("scheduled", queue.scheduled_count),
        ("pending", queue.pending_count),
        ("running", queue.running_count),
        ("processors", queue.processor_count),
    ]
    return [
        ("queue", queue.name),
        ("state", "paused" if queue.paused else "active"),
        *((name, str(count)) for name, count in counts if count is not None),
        ("oldest", _moment(queue.oldest_pending_time)),
    ]

"""What people read: columns, times, and nothing that moves their cursor."""

import io

import pytest

from taskwire import TaskInfo
from taskwire.cli.output import Output, printable
from taskwire.v1 import task_pb2


def _text(task: task_pb2.Task) -> str:
    stream = io.StringIO()
    Output(stream, as_json=False).task(TaskInfo(task))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"), [("plain ü", "plain ü"), ("\x1b[2J", "\\x1b[2J"), ("a\nb", "a\\nb"), ("\u202e", "\\u202e")]
)
def test_control_characters_are_escaped(text, shown) -> None:
    assert printable(text) == shown


def test_only_what_is_set_is_shown() -> None:
    shown = _text(task_pb2.Task(id="t", state=task_pb2.TASK_STATE_PENDING))

    assert "failure" not in shown
    assert "finished" not in shown
    assert "state        PENDING" in shown


def test_binary_is_shown_in_hexadecimal() -> None:
    assert "00 ff (2 bytes)" in _text(task_pb2.Task(output=task_pb2.Payload(binary=b"\0\xff")))
    assert "… (100 bytes)" in _text(task_pb2.Task(output=task_pb2.Payload(binary=b"x" * 100)))


def test_long_text_is_cut() -> None:
    assert "… (5000 bytes)" in _text(task_pb2.Task(output=task_pb2.Payload(text="x" * 5000)))


def test_failure_is_shown_with_its_reason() -> None:
    shown = _text(task_pb2.Task(failure=task_pb2.Failure(reason="EXPIRED", message="too late")))

    assert "failure      EXPIRED: too late" in shown

from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from taskwire_processor.runner import tracebacks, wire
from taskwire_processor.runner.tracebacks import KINDS_MAX, PAUSE_SECONDS, TEXT_CHARS_MAX, Tracebacks

MOMENT = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


class _Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return _Clock()


@pytest.fixture
def notes(clock):
    return Tracebacks(clock)


def start(type="resize", attempt=3):
    return wire.Start(1, "id", attempt, 2, "queue", type, MOMENT, MOMENT, None, is_text=True, content_type="")


def raised(error):
    try:
        raise error
    except BaseException as caught:
        return caught


def test_the_line_where_a_handler_broke_is_in_the_log(notes):
    with capture_logs() as lines:
        notes.note(start(), raised(KeyError("width")))

    [line] = lines
    assert (line["event"], line["log_level"]) == ("handler.raised", "warning")
    assert (line["task_id"], line["attempt"], line["type"]) == ("id", 3, "resize")
    assert "raise error" in line["exception"]
    assert line["exception"].endswith("KeyError: 'width'")


def test_what_breaks_often_is_told_now_and_then(notes, clock):
    with capture_logs() as lines:
        for _ in range(5):
            notes.note(start(), raised(KeyError("width")))
        notes.note(start("mail"), raised(KeyError("width")))
        notes.note(start(), raised(ValueError("width")))
        clock.now = PAUSE_SECONDS
        notes.note(start(), raised(KeyError("width")))
        notes.note(start(), raised(KeyError("width")))

    assert [(line["type"], line["left_out"]) for line in lines] == [
        ("resize", 0), ("mail", 0), ("resize", 0), ("resize", 4),
    ]  # fmt: skip


def test_kinds_without_end_take_no_memory_without_end(notes):
    with capture_logs():
        for number in range(KINDS_MAX * 2 + 1):
            notes.note(start(f"type-{number}"), raised(KeyError()))

    assert len(notes._quiet_until) <= KINDS_MAX


def test_a_text_without_end_is_cut_in_the_middle(notes):
    with capture_logs() as lines:
        notes.note(start(), raised(ValueError("x" * 1_000_000 + "the end")))

    text = lines[0]["exception"]
    assert len(text) == TEXT_CHARS_MAX + 1
    assert text.startswith("Traceback")
    assert text.endswith("the end")


def test_an_exception_that_cannot_be_looked_at_is_nobodys_trouble(notes, monkeypatch):
    def broken(*_args, **_options):
        raise RuntimeError

    monkeypatch.setattr(tracebacks.traceback, "format_exception", broken)
    with capture_logs() as lines:
        notes.note(start(), raised(KeyError()))

    assert lines == []

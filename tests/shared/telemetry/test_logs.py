"""Every line is an event, in JSON for machines, with its fields unharmed."""

import json
import logging
import sys
from datetime import UTC, datetime
from uuid import UUID

import pytest
import structlog

from taskwire_shared.settings import SettingsError
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event


@pytest.fixture(autouse=True)
def restored():
    """Put logging back as it was: pytest has handlers of its own."""
    root, library = logging.getLogger(), logging.getLogger("asyncio")
    handlers, level, library_level = root.handlers[:], root.level, library.level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, library.level = handlers, library_level
    root.setLevel(level)
    structlog.reset_defaults()


def _lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_line_has_its_event_and_fields(tmp_path) -> None:
    file = tmp_path / "log"
    log = logs.get("some.module")
    logs.configure("info", str(file))
    task_id = UUID(int=7)

    log.info(Event.RUNNER_STARTED, task_id=task_id, when=datetime(2026, 1, 1, tzinfo=UTC), odd=object)

    (line,) = _lines(file)
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert (line["level"], line["event"], line["logger"]) == ("info", "runner.started", "some.module")
    assert (line["task_id"], line["when"]) == (str(task_id), "2026-01-01T00:00:00Z")
    assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None


def test_level_holds_for_us_and_for_libraries(tmp_path) -> None:
    file = tmp_path / "log"
    logs.configure("warning", str(file))

    logs.get("ours").info(Event.PROCESS_READY)
    logging.getLogger("theirs").info("hello")
    logs.get("ours").warning(Event.BUS_DEAF)
    logging.getLogger("theirs").warning("beware of %s", "dogs")

    assert [(line["event"], line.get("message")) for line in _lines(file)] == [
        ("bus.deaf", None),
        ("library.logged", "beware of dogs"),
    ]


def test_text_that_is_no_unicode_is_still_a_line(tmp_path, capfd) -> None:
    file = tmp_path / "log"
    logs.configure("info", str(file))

    logging.getLogger("theirs").warning("cannot read %s", b"caf\xe9.txt".decode(errors="surrogateescape"))
    logs.get("ours").warning(Event.BUS_FAILED, task_id=UUID(int=7), what={"name": "\udce9"})

    theirs, ours = _lines(file)
    assert (theirs["event"], theirs["message"]) == ("library.logged", "cannot read caf?.txt")
    assert (ours["task_id"], ours["what"]) == (str(UUID(int=7)), {"name": "?"})
    assert capfd.readouterr().err == ""


def test_exception_is_in_its_line(tmp_path) -> None:
    file = tmp_path / "log"
    logs.configure("info", str(file))
    try:
        raise LookupError("lost")
    except LookupError:
        logs.get("x").exception(Event.PROCESS_FAILED)

    (line,) = _lines(file)
    assert "LookupError: lost" in line["exception"]


def test_file_is_appended_to_and_opened_anew_after_it_was_moved(tmp_path) -> None:
    file = tmp_path / "log"
    file.write_text('{"event":"before"}\n')
    logs.configure("info", str(file))
    log = logs.get("x")

    log.info(Event.PROCESS_READY)
    file.rename(tmp_path / "log.1")
    log.info(Event.PROCESS_STOPPING)

    assert [line["event"] for line in _lines(tmp_path / "log.1")] == ["before", "process.ready"]
    assert [line["event"] for line in _lines(file)] == ["process.stopping"]


def test_standard_error_gets_json_unless_it_is_a_terminal(capsys, monkeypatch) -> None:
    logs.configure()
    logs.get("x").info(Event.PROCESS_READY)
    assert json.loads(capsys.readouterr().err)["event"] == "process.ready"

    structlog.reset_defaults()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    logs.configure()
    logs.get("x").info(Event.PROCESS_READY, answer=42)
    shown = capsys.readouterr().err
    assert "process.ready" in shown
    assert not shown.startswith("{")


def test_file_that_cannot_be_written_is_a_wrong_setting(tmp_path) -> None:
    with pytest.raises(SettingsError, match=r"TASKWIRE_LOG_FILE: cannot write to .*No such file or directory"):
        logs.configure("info", str(tmp_path / "no" / "log"))

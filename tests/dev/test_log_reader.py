import asyncio
import json

from taskwire_dev import log_reader
from taskwire_dev.log_reader import LogReader, warning_in


def test_only_what_is_new_and_whole_is_read(tmp_path):
    log = tmp_path / "log"
    log.write_text("old\n")
    reader = LogReader(log)

    with log.open("a") as file:
        file.write("one\ntwo\nthr")
    assert reader.new_lines() == ["one", "two"]
    with log.open("a") as file:
        file.write("ee\n")
    assert reader.new_lines() == ["three"]
    assert reader.new_lines() == []


def test_a_log_that_appears_later_or_starts_anew_is_read_from_its_beginning(tmp_path):
    log = tmp_path / "log"
    reader = LogReader(log)
    assert reader.new_lines() == []

    log.write_text("a long first line\n")
    assert reader.new_lines() == ["a long first line"]
    log.rename(tmp_path / "log.1")
    log.write_text("anew\n")
    assert reader.new_lines() == ["anew"]


def test_a_line_longer_than_any_limit_does_not_stop_the_reader(tmp_path, monkeypatch):
    monkeypatch.setattr(log_reader, "_CHUNK_BYTES_MAX", 10)
    reader = LogReader(tmp_path / "log")
    (tmp_path / "log").write_text("x" * 25 + "\nend\n")

    assert "".join(line for _ in range(4) for line in reader.new_lines()) == "x" * 25 + "end"


def test_warnings_are_shown_as_text():
    line = json.dumps({"event": "store_away", "level": "warning", "timestamp": "now", "task_id": "1"})

    assert warning_in(line) == "warning: store_away task_id=1"


def test_other_lines_are_not():
    assert warning_in(json.dumps({"event": "ready", "level": "info"})) is None
    assert warning_in("taskwire gateway ready grpc=127.0.0.1:1") is None
    assert warning_in("[]") is None


async def test_following_shows_what_matters(tmp_path):
    log, shown = tmp_path / "log", asyncio.Queue()
    lines = [{"event": "quiet", "level": "info"}, {"event": "loud", "level": "error"}]
    following = asyncio.create_task(LogReader(log).follow(shown.put_nowait, everything=False))
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    async with asyncio.timeout(5):
        assert await shown.get() == "error: loud"
    following.cancel()
    await asyncio.wait({following})

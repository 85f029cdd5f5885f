"""Journals survive the death of their writers."""

from pathlib import Path

import pytest

from taskwire_chaos import journal as journal_module
from taskwire_chaos.journal import Journal, Phase, Rung, Struck, Tail, read_journal, read_journals, read_last


def test_records_come_back(tmp_path: Path) -> None:
    records = [Struck(at=1.5, fault="kill", target="gateway-1"), Phase(at=2.5, name="heal")]
    with Journal(tmp_path / "a.jsonl", fsync=True) as journal:
        for record in records:
            journal.write(record)

    assert list(read_journal(tmp_path / "a.jsonl")) == records


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    with Journal(tmp_path / "a.jsonl") as journal:
        journal.write(Phase(at=1, name="heal"))
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write('{"type":"Phase","na')

    assert list(read_journal(tmp_path / "a.jsonl")) == [Phase(at=1, name="heal")]


def test_a_kind_is_read_alone(tmp_path: Path) -> None:
    with Journal(tmp_path / "a.jsonl") as journal:
        for record in (Phase(at=1, name="heal"), Struck(at=2, fault="kill"), Phase(at=3, name="drain")):
            journal.write(record)

    assert list(read_journals([tmp_path / "a.jsonl"], (Struck,))) == [Struck(at=2, fault="kill")]


def test_a_tail_reads_on_where_it_has_stopped(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "a.jsonl")
    with Journal(tmp_path / "a.jsonl") as journal:
        journal.write(Phase(at=1, name="heal"))
        assert [record.at for record in tail.news()] == [1]
        with (tmp_path / "a.jsonl").open("a") as file:
            file.write('{"type":"Phase","na')
        assert not list(tail.news())
        with (tmp_path / "a.jsonl").open("a") as file:
            file.write('me":"drain","at":2}\n')
        assert [record.at for record in tail.news()] == [2]


def test_the_last_record_is_found_from_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_LAST_BYTES", 10)
    with Journal(tmp_path / "a.jsonl") as journal:
        journal.write(Struck(at=1, fault="first"))
        for at in range(2, 30):
            journal.write(Phase(at=at, name="heal"))

    assert read_last(tmp_path / "a.jsonl", (Struck,)) == Struck(at=1, fault="first")
    assert read_last(tmp_path / "a.jsonl", (Rung,)) is None

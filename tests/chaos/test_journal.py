"""Journals survive the death of their writers."""

from pathlib import Path

from taskwire_chaos.journal import Journal, Phase, Struck, read_journal, read_journals


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


def test_journals_are_read_by_time(tmp_path: Path) -> None:
    for name, at in (("a", 2.0), ("b", 1.0)):
        with Journal(tmp_path / f"{name}.jsonl") as journal:
            journal.write(Phase(at=at, name=name))

    assert [record.name for record in read_journals(tmp_path.iterdir()) if isinstance(record, Phase)] == ["b", "a"]

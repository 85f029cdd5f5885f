import io

import pytest

from taskwire.task import TaskInfo
from taskwire.v1 import task_pb2
from taskwire_dev.console import Console
from taskwire_dev.demo.board import Board
from taskwire_dev.demo.orders import make_orders
from taskwire_dev.demo.show import Run, summarize, temporary_folder
from taskwire_dev.failure import StartFailed


@pytest.fixture
def stream():
    return io.StringIO()


def finished_run():
    orders = make_orders(20, "run")
    board = Board(orders)
    stored = [TaskInfo(task_pb2.Task(id=order.task_id, version=1, state=int(order.kind.ends))) for order in orders]
    for task in stored:
        board.note(task)
    return Run(orders=orders, selector=None, board=board, client=None), stored


def test_the_summary_accounts_for_every_task(stream):
    run, stored = finished_run()

    summarize(run, stored, Console(stream), 2.5)

    assert "20 tasks in 2.5 s: 16 succeeded, 2 failed, 2 cancelled. 20 changes were watched." in stream.getvalue()
    assert "Every task is accounted for" in stream.getvalue()


def test_the_summary_fails_when_one_is_missing(stream):
    run, stored = finished_run()

    with pytest.raises(StartFailed, match="found 1 things"):
        summarize(run, stored[1:], Console(stream), 2.5)

    assert "is not listed" in stream.getvalue()
    assert "accounted for" not in stream.getvalue()


def test_a_temporary_folder_goes_when_all_is_well(stream):
    with temporary_folder(None, Console(stream).say) as path:
        (path / "file").write_text("")

    assert not path.exists()


def test_a_temporary_folder_stays_for_whoever_looks_for_the_cause(stream, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with pytest.raises(StartFailed), temporary_folder(None, Console(stream).say) as path:
        raise StartFailed("why")

    assert path.exists()
    assert str(path) in stream.getvalue()


def test_a_given_folder_is_kept(stream, tmp_path):
    with temporary_folder(tmp_path / "mine", Console(stream).say) as path:
        path.mkdir()

    assert (tmp_path / "mine").exists()

import pytest

from taskwire.task import TaskInfo, TaskState
from taskwire.v1 import task_pb2
from taskwire_dev.demo.board import Board
from taskwire_dev.demo.orders import KINDS, make_orders


@pytest.fixture
def orders():
    return make_orders(20, "run")


@pytest.fixture
def board(orders):
    return Board(orders)


def version(order, number, state):
    return TaskInfo(task_pb2.Task(id=order.task_id, version=number, state=int(state)))


def finish(board, orders):
    stored = [version(order, 1, order.kind.ends) for order in orders]
    for task in stored:
        board.note(task)
    return stored


def test_versions_count_once(board, orders):
    board.note(version(orders[0], 1, TaskState.PENDING))
    board.note(version(orders[0], 2, TaskState.RUNNING))
    board.note(version(orders[0], 1, TaskState.PENDING))

    assert board.changes == 2
    assert board.gaps == 0
    assert board.totals() == {TaskState.RUNNING: 1}
    assert board.has_state(orders[0].task_id, TaskState.RUNNING)


def test_all_is_well_at_the_end(board, orders):
    assert not board.is_finished
    stored = finish(board, orders)

    assert board.is_finished
    assert board.problems(stored) == []


def test_a_task_that_is_missing_is_a_problem(board, orders):
    stored = finish(board, orders)

    assert board.problems(stored[1:]) == [f"{orders[0].task_id} ({orders[0].kind.name}) is not listed"]


def test_a_task_that_ended_otherwise_is_a_problem(board, orders):
    stored = finish(board, orders)
    stored[0] = version(orders[0], 1, TaskState.PENDING)

    assert "is PENDING instead of SUCCEEDED" in board.problems(stored)[0]


def test_a_version_that_was_never_watched_is_a_problem(board, orders):
    stored = finish(board, orders)
    stored[0] = version(orders[0], 2, orders[0].kind.ends)

    assert "has version 2, the watch saw 1" in board.problems(stored)[0]


def test_a_gap_is_a_problem(board, orders):
    stored = finish(board, orders)
    board.note(version(orders[0], 3, orders[0].kind.ends))
    stored[0] = version(orders[0], 3, orders[0].kind.ends)

    assert board.problems(stored) == ["1 changes were not seen by the watch"]


def test_others_do_not_count(board):
    board.note(TaskInfo(task_pb2.Task(id="other", version=1, state=2)))

    assert board.changes == 0


def test_the_picture_has_always_as_many_lines(board, orders):
    before = board.table(0)
    finish(board, orders)
    after = board.table(12.5)

    assert len(before) == len(after) == len(KINDS) + 2
    assert "12.5 s" in after[0]
    assert after[-1].split() == ["all", ".", ".", ".", "16", "2", "2"]
    assert board.line(1).endswith("succeeded 16  failed 2  cancelled 2")

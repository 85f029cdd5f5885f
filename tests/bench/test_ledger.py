from taskwire_bench.load.ledger import Ledger

from taskwire.v1.task_pb2 import Task


def _version(number: int, *, done: bool = False) -> Task:
    task = Task(id="a", version=number, done=done)
    task.update_time.GetCurrentTime()
    return task


def test_every_version_in_order_makes_a_task_complete() -> None:
    ledger = Ledger()
    for task in (_version(1), _version(2), _version(3, done=True)):
        ledger.note(task)

    assert (ledger.complete, ledger.events, ledger.faults) == (1, 3, [])


def test_a_gap_is_a_fault() -> None:
    ledger = Ledger()
    ledger.note(_version(1))
    ledger.note(_version(3, done=True))

    assert ledger.complete == 0
    assert "version 3 came where 2 was due" in ledger.faults[0]


def test_a_repetition_is_a_fault() -> None:
    ledger = Ledger()
    for task in (_version(1), _version(1)):
        ledger.note(task)

    assert len(ledger.faults) == 1

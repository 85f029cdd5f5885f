from taskwire.task import TaskState, WaitReason
from taskwire_dev.dev import describe
from taskwire_dev.first_task import FirstTask


def first_task(states, waits_for=WaitReason.NONE):
    return FirstTask(task_id="the-id", states=tuple(states), seconds=0.0254, waits_for=waits_for)


def test_a_first_task_that_went_well():
    task = first_task([TaskState.PENDING, TaskState.RUNNING, TaskState.SUCCEEDED])

    assert describe(task) == "First task the-id (echo): PENDING -> RUNNING -> SUCCEEDED in 25 ms"


def test_a_first_task_that_waits():
    task = first_task([TaskState.PENDING], WaitReason.QUEUE_PAUSED)

    assert describe(task).endswith("has not finished after 0 s: PENDING (QUEUE_PAUSED)")

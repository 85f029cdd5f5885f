import json
import shlex
from types import SimpleNamespace

import pytest

from taskwire.task import TaskState, WaitReason
from taskwire_dev.dev import describe, lines_to_copy
from taskwire_dev.first_task import FirstTask
from taskwire_dev.service import Service

SHIPPED = ["crunch", "echo", "flaky", "sleep"]


def installation(tmp_path, address):
    gateway = Service("gateway", "gateway", environment={}, log=tmp_path / "logs" / "gateway.log", grace=1)
    return SimpleNamespace(address=address, metrics=("127.0.0.1:50052", "127.0.0.1:50053"), gateway=gateway)


def first_task(states, waits_for=WaitReason.NONE):
    return FirstTask(task_id="the-id", states=tuple(states), seconds=0.0254, waits_for=waits_for)


def test_a_first_task_that_went_well():
    task = first_task([TaskState.PENDING, TaskState.RUNNING, TaskState.SUCCEEDED])

    assert describe(task) == "First task the-id (echo): PENDING -> RUNNING -> SUCCEEDED in 25 ms"


def test_a_first_task_that_waits():
    task = first_task([TaskState.PENDING], WaitReason.QUEUE_PAUSED)

    assert describe(task).endswith("has not finished after 0 s: PENDING (QUEUE_PAUSED)")


@pytest.mark.parametrize("program", ["grpcurl", "buf", "taskwire"])
@pytest.mark.parametrize("types", [SHIPPED, ["it's mine"]])
def test_every_line_is_one_command_of_a_shell(tmp_path, program, types):
    lines = [line for line in lines_to_copy(installation(tmp_path, "127.0.0.1:50051"), types) if line.startswith("  ")]

    commands = [shlex.split(line) for line in lines]
    mine = [command for command in commands if command[0].rsplit("/", 1)[-1] == program]
    assert mine
    for command in mine:
        for data in (command[at + 1] for at, word in enumerate(command) if word == "-d"):
            json.loads(data)


def test_the_task_to_copy_is_of_a_type_that_is_served(tmp_path):
    usual = "\n".join(lines_to_copy(installation(tmp_path, "127.0.0.1:50051"), SHIPPED))
    mine = "\n".join(lines_to_copy(installation(tmp_path, "127.0.0.1:50051"), ["resize", "mail"]))

    assert """ create sleep '{"seconds": 2}'\n""" in usual
    assert """ '{"task": {"queue": "default", "type": "sleep", "input": {"text": "{\\"seconds\\": 2}"}}}' """ in usual
    assert " create mail\n" in mine
    assert """ '{"task": {"queue": "default", "type": "mail"}}' """ in mine
    assert "sleep" not in mine


def test_another_address_than_the_usual_is_said_to_the_client(tmp_path):
    usual = "\n".join(lines_to_copy(installation(tmp_path, "127.0.0.1:50051"), SHIPPED))
    another = "\n".join(lines_to_copy(installation(tmp_path, "127.0.0.1:20000"), SHIPPED))

    assert "TASKWIRE_ADDRESS" not in usual
    assert "TASKWIRE_ADDRESS=127.0.0.1:20000" in another

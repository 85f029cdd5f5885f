import json
import shlex

import pytest

from taskwire_dev.usage import Usage

SHIPPED = ["crunch", "echo", "flaky", "sleep"]
ADDRESS = "127.0.0.1:50051"


@pytest.mark.parametrize("program", ["grpcurl", "buf", "taskwire"])
@pytest.mark.parametrize("usage", [Usage(ADDRESS, SHIPPED), Usage(ADDRESS, ["it's mine"], queue="mail", tls=True)])
def test_every_line_is_one_command_of_a_shell(program, usage):
    commands = [shlex.split(line) for line in usage.lines() if line.startswith("  ")]

    mine = [command for command in commands if command[0].rsplit("/", 1)[-1] == program]
    assert mine
    for command in mine:
        for data in (command[at + 1] for at, word in enumerate(command) if word == "-d"):
            json.loads(data)


def test_the_task_to_copy_is_of_a_type_that_is_served():
    usual = "\n".join(Usage(ADDRESS, SHIPPED).lines())
    mine = "\n".join(Usage(ADDRESS, ["resize", "mail"]).lines())

    assert """ create sleep '{"seconds": 2}'\n""" in usual
    assert """ '{"task": {"queue": "default", "type": "sleep", "input": {"text": "{\\"seconds\\": 2}"}}}' """ in usual
    assert " create mail\n" in mine
    assert """ '{"task": {"queue": "default", "type": "mail"}}' """ in mine
    assert "sleep" not in mine


def test_it_is_of_a_queue_that_is_served():
    lines = "\n".join(Usage(ADDRESS, SHIPPED, queue="mail").lines())

    assert '"queue": "mail"' in lines
    assert " create --queue mail sleep " in lines
    assert "default" not in lines


def test_tls_is_spoken_where_it_is_served():
    lines = [line for line in Usage(ADDRESS, SHIPPED, tls=True).lines() if line.startswith("  ")]

    assert all("PUT-THE-CA-FILE-HERE" in line for line in lines)
    assert not any("plaintext" in line or "http://" in line or "prior-knowledge" in line for line in lines)


def test_another_address_than_the_usual_is_said_to_the_client():
    assert "TASKWIRE_ADDRESS" not in "\n".join(Usage(ADDRESS, SHIPPED).lines())
    assert "TASKWIRE_ADDRESS=127.0.0.1:20000" in "\n".join(Usage("127.0.0.1:20000", SHIPPED).lines())

"""`taskwire list`."""

import pytest

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as tasks_pb


def _page(*names: str, token: str = "") -> tasks_pb.ListTasksResponse:
    tasks = [task_pb2.Task(id=name, type="greet", queue="q", state=task_pb2.TASK_STATE_RUNNING) for name in names]
    return tasks_pb.ListTasksResponse(tasks=tasks, next_page_token=token)


async def test_limit_ends_the_list(run, gateway) -> None:
    gateway.script("ListTasks", _page("a", "b", token="more"), _page("c", "d"))

    assert [line["id"] for line in (await run("list", "--limit", "3")).json_lines()] == ["a", "b", "c"]
    gateway.script("ListTasks", _page("a", "b", token="more"), _page("c", "d"))
    assert len((await run("list", "--limit", "1", "--all")).json_lines()) == 4


async def test_table_has_a_header(run, gateway) -> None:
    gateway.script("ListTasks", _page("a", "b"))

    header, first, second = (await run("list", "--output", "text")).out.splitlines()

    assert header.split() == ["ID", "STATE", "TYPE", "QUEUE", "ATTEMPTS", "CREATED"]
    assert first.split() == ["a", "RUNNING", "greet", "q", "0"]
    assert second.startswith("b ")


async def test_limit_of_nothing_is_refused(run) -> None:
    with pytest.raises(SystemExit, match="2"):
        await run("list", "--limit", "0")

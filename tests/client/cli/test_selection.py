"""The options that pick tasks."""

import pytest

from taskwire.cli.selection import label
from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as tasks_pb


async def test_options_become_a_selector(run, gateway) -> None:
    gateway.script("ListTasks", tasks_pb.ListTasksResponse())
    options = "--queue a --queue b --type t --state failed --state running --label k=v"

    await run("list", *options.split())

    selector = gateway.requests[0].selector
    assert (selector.queues, selector.types) == (["a", "b"], ["t"])
    assert selector.states == [task_pb2.TASK_STATE_FAILED, task_pb2.TASK_STATE_RUNNING]
    assert dict(selector.labels) == {"k": "v"}


@pytest.mark.parametrize("text", ["a", "=b", ""])
def test_label_needs_a_key_and_a_value(text) -> None:
    with pytest.raises(Exception, match="KEY=VALUE"):
        label(text)


async def test_unknown_state_is_refused(run, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        await run("list", "--state", "sleeping")
    assert "invalid choice" in capsys.readouterr().err

"""docs/client.md and docs/handlers.md are what the code does."""

import ast
import inspect
import json
import re
from pathlib import Path

import pytest

import taskwire
from taskwire import Client, channel, watching
from taskwire.cli import watch

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def test_service_config_is_the_clients() -> None:
    (block,) = _blocks("client.md", "json")

    assert json.loads(block) == channel._SERVICE_CONFIG


def test_every_method_is_listed() -> None:
    listed = set(re.findall(r"`([a-z_]+)\(", (DOCS / "client.md").read_text()))
    methods = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")}

    assert methods - {"close"} <= listed


def test_codes_that_end_a_watch_are_listed() -> None:
    (section,) = re.findall(
        r"- Watches: reconnect after every end but (.*?), with a pause", (DOCS / "client.md").read_text(), re.DOTALL
    )

    assert set(re.findall(r"`([A-Z_]+)`", section)) - {"OK"} == {code.name for code in watching._FINAL_CODES}


def test_exit_codes_of_watch_are_listed() -> None:
    assert (
        f"| {watch.TASK_FAILED}, {watch.TASK_CANCELLED} | `watch`: the task failed, was cancelled |"
        in (DOCS / "client.md").read_text()
    )


@pytest.mark.parametrize("page", ["client.md", "handlers.md"])
def test_examples_are_python_and_their_names_exist(page) -> None:
    blocks = _blocks(page, "python")
    assert blocks

    for block in blocks:
        tree = ast.parse(f"async def example():\n{re.sub('^', '    ', block, flags=re.MULTILINE)}")
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "taskwire":
                for alias in node.names:
                    assert hasattr(taskwire, alias.name) or alias.name == "testing", alias.name
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "client":
                assert hasattr(Client, node.attr), node.attr

"""The names of events, the code that logs them and the page that explains them agree."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from taskwire_shared.telemetry.events import Event

REPOSITORY = Path(__file__).resolve().parents[3]
COMPONENTS = ("dev", "gateway", "migrations", "processor", "shared")
PAGE = REPOSITORY / "docs" / "events.md"


def _sources() -> Iterator[ast.AST]:
    for component in COMPONENTS:
        for path in (REPOSITORY / component).rglob("*.py"):
            if path.name != "events.py" or path.parent.name != "telemetry":
                yield from ast.walk(ast.parse(path.read_text()))


def test_every_event_is_explained_once() -> None:
    explained = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| [^|]+ \| [^|]*[a-z][^|]* \|", PAGE.read_text(), re.MULTILINE)

    assert sorted(explained) == sorted(Event)


def test_every_event_is_logged_somewhere() -> None:
    used = {
        node.attr
        for node in _sources()
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Event"
    }

    # What libraries log gets its name where the lines are made.
    assert used | {"LIBRARY_LOGGED"} == {event.name for event in Event}


def test_every_line_names_an_event() -> None:
    unnamed = [
        ast.unparse(node)
        for node in _sources()
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"log", "_log", "logger"}
        and node.func.attr in {"debug", "info", "warning", "error", "exception", "critical"}
        # A name is a parameter of type Event; a text made on the spot is what must not be.
        and not (node.args and isinstance(node.args[0], ast.Name | ast.Attribute))
    ]

    assert unnamed == []

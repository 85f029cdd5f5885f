"""Nothing happens at import, and the environment is read in one place."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
COMPONENTS = ("client", "dev", "gateway", "migrations", "processor", "shared")

# Where the environment may be named: the entrance of a program, which hands it to the settings or to a child.
READS_ENVIRONMENT: dict[str, str] = {
    "client/taskwire/cli/settings.py": "the client commands know no server, nor its settings",
    "dev/taskwire_dev/command.py": "hands it on to the services that it starts",
    "shared/taskwire_shared/settings.py": "the settings themselves",
}


def test_importing_does_nothing() -> None:
    program = Path(__file__).with_name("importing.py")
    result = subprocess.run(
        [sys.executable, "-W", "error", str(program)], capture_output=True, text=True, timeout=50, check=False
    )

    assert result.returncode == 0, result.stderr
    assert not result.stdout


def _names_environment(path: Path) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in {"environ", "environb", "getenv"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        for node in ast.walk(ast.parse(path.read_text()))
    )


def test_environment_is_read_at_the_entrances_only() -> None:
    readers = {
        str(path.relative_to(REPOSITORY))
        for component in COMPONENTS
        for path in (REPOSITORY / component).rglob("*.py")
        if _names_environment(path)
    }

    assert readers == READS_ENVIRONMENT.keys()


# The runner imports the decorator in every process it starts, and a machine that only runs tasks has no gRPC to load.
@pytest.mark.parametrize("module", ["taskwire", "taskwire.handlers", "taskwire_processor.runner.__main__"])
def test_handlers_are_imported_without_grpc(module: str) -> None:
    check = f"import {module}, sys; sys.exit(any(name.split('.')[0] in ('grpc', 'google') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", check], timeout=50, check=False).returncode == 0

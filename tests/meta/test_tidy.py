"""The house style by numbers. A rule that nothing checks is a wish."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
COMPONENTS = ("client", "dev", "gateway", "migrations", "processor", "shared")
GENERATED = REPOSITORY / "client" / "taskwire" / "v1"

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
BANNED_MODULES = {
    "base",
    "common",
    "core",
    "helper",
    "helpers",
    "manager",
    "managers",
    "misc",
    "tools",
    "util",
    "utils",
}
BANNED_WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

# Modules without a test file of their own, each with the reason.
NO_OWN_TEST: dict[str, str] = {
    "gateway/taskwire_gateway/__main__.py": "two lines; run whenever a test starts a gateway",
    "migrations/taskwire_migrations/env.py": "run by Alembic in every test that has a database",
    "processor/taskwire_processor/__main__.py": "two lines; run whenever a test starts a processor",
    "processor/taskwire_processor/runner/__main__.py": "run whenever a test starts a processor",
    "shared/taskwire_shared/domain/queue.py": "values without behaviour",
}


def _python_files() -> list[Path]:
    """Return the files that git knows or would add, so that scratch files of an editor do not count."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.splitlines()
    paths = [REPOSITORY / name for name in listed]
    return sorted(path for path in paths if path.exists() and not path.is_relative_to(GENERATED))


def _is_in_package(path: Path) -> bool:
    return path.relative_to(REPOSITORY).parts[1].startswith("taskwire")


FILES = _python_files()
# A component's folder may also hold a script beside its package.
MODULES = [path for path in FILES if path.parts[len(REPOSITORY.parts)] in COMPONENTS and _is_in_package(path)]


def _name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_size_and_words(path: Path) -> None:
    text = path.read_text()
    lines = len(text.splitlines())
    tree = ast.parse(text)
    long_functions = [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in _functions(tree)
        if node.end_lineno is not None and node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    ]

    assert not long_functions
    assert lines <= FILE_LINES_MAX
    if path != Path(__file__):
        assert not BANNED_WORDS.findall(text)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_module_is_named_and_described(path: Path) -> None:
    assert path.stem not in BANNED_MODULES
    assert ast.get_docstring(ast.parse(path.read_text())), "a module begins with what it is"


def _has_own_test(path: Path) -> bool:
    component, _package, *folders, _file = path.relative_to(REPOSITORY).parts
    return (REPOSITORY / "tests" / component / Path(*folders) / f"test_{path.stem}.py").exists()


def _imported_by_tests() -> set[str]:
    """Return the names of modules, and of what is in them, that the tests of the components import."""
    names = set()
    for path in FILES:
        folder = path.relative_to(REPOSITORY).parts[:2]
        if folder[0] == "tests" and folder[1] in COMPONENTS:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module:
                    names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def _module(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts[1:])


def test_every_module_has_its_test() -> None:
    """A file of its own, or for a part of a larger mechanism a test of its component that takes it by itself."""
    imported = _imported_by_tests()
    untested = {
        _name(path)
        for path in MODULES
        # A package's own module says what the package is; migrations are run as a whole.
        if path.stem != "__init__" and path.parent.name != "versions"
        if not _has_own_test(path) and _module(path) not in imported
    }

    assert untested - NO_OWN_TEST.keys() == set(), "write tests/<component>/<folders>/test_<module>.py"
    assert NO_OWN_TEST.keys() - untested == set(), "these have a test now, or are gone: take them off the list"

"""Import every module of the components and print, one a line, what happened that should not: run by test_imports.py.

It is a program of its own because a module is imported only once in a process.
"""

import importlib
import os
import pkgutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

REPOSITORY = Path(__file__).resolve().parents[2]
ROOTS = [
    "taskwire",
    "taskwire_dev",
    "taskwire_gateway",
    "taskwire_migrations",
    "taskwire_processor",
    "taskwire_shared",
]
# Alembic runs these itself, with a connection at hand.
NOT_IMPORTED = {"taskwire_migrations.env"}
# A new event loop makes a pair of sockets, and so shows as well.
FORBIDDEN_EVENTS = ("os.fork", "os.posix_spawn", "socket.__new__", "subprocess.Popen")

found: list[str] = []


def watch_system_calls(importing: Callable[[], str]) -> None:
    """Note every connection and child process from now on; `importing` names the module at fault."""

    def hook(event: str, _: object) -> None:
        if event in FORBIDDEN_EVENTS:
            found.append(f"{importing()}: {event}")

    sys.addaudithook(hook)


def watch_environment(importing: Callable[[], str]) -> None:
    """Note every reading of the environment by our own code. Libraries may."""

    class Watched(type(os.environ)):  # type: ignore[misc]
        def __getitem__(self, key: str) -> str:
            if _is_ours(sys._getframe(1)) or _is_ours(sys._getframe(2)):
                found.append(f"{importing()}: reads {key} from the environment")
            return super().__getitem__(key)  # type: ignore[no-any-return]

    os.environ.__class__ = Watched


def _is_ours(frame: FrameType) -> bool:
    path = Path(frame.f_code.co_filename)
    return path.is_relative_to(REPOSITORY) and ".venv" not in path.parts


def modules() -> list[str]:
    """Return the names of all modules of the components."""
    names = []
    for root in ROOTS:
        package = importlib.import_module(root)
        names += [root, *(module.name for module in pkgutil.walk_packages(package.__path__, f"{root}."))]
    return [name for name in names if name not in NOT_IMPORTED]


def main() -> None:
    """Import everything under watch."""
    current = ["the packages"]
    watch_system_calls(lambda: current[0])
    watch_environment(lambda: current[0])
    for name in modules():
        current[0] = name
        threads = threading.active_count()
        importlib.import_module(name)
        if threading.active_count() > threads:
            found.append(f"{name}: starts a thread")
    print("\n".join(found), end="")


if __name__ == "__main__":
    main()

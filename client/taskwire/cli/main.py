"""The entry of `taskwire`: finds the subcommand and hands it the rest of the line.

Exit codes of all commands: 0 done; 1 it failed; 2 the line was not understood; 130 interrupted. `taskwire watch` adds
3 for a task that failed and 4 for one that was cancelled.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points, version

GROUP = "taskwire.commands"
FAILED = 1
USAGE_ERROR = 2
INTERRUPTED = 130
_EMBEDDED = ("demo", "dev")
"""What brings a Postgres and a NATS along; the rest needs no more than the servers."""

Command = Callable[[list[str]], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run `taskwire` with `argv`, by default the arguments of the process. Returns the exit code."""
    try:
        return _dispatch(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        # Also while a command is imported, which takes a second.
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        return FAILED
    finally:
        _leave_quietly()


def _leave_quietly() -> None:
    """Keep Python from complaining at its exit that what it still has for stdout cannot be written."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print(f"taskwire: {error}", file=sys.stderr)


def _dispatch(argv: list[str]) -> int:
    name, *rest = argv or ["--help"]
    if name in {"-h", "--help", "help"}:
        print(_overview())
        return 0
    if name in {"-V", "--version"}:
        print(f"taskwire {version('taskwire')}")
        return 0
    found = _commands().get(name)
    if found is None:
        print(f"taskwire: there is no command {name!r}; see taskwire --help", file=sys.stderr)
        return USAGE_ERROR
    return _run(found, rest)


def _run(found: EntryPoint, argv: list[str]) -> int:
    try:
        command: Command = found.load()
    except ModuleNotFoundError as error:
        print(f"taskwire {found.name}: {error.name} is not installed; {_hint(found)}", file=sys.stderr)
        return USAGE_ERROR
    return command(argv)


def _commands() -> dict[str, EntryPoint]:
    return {found.name: found for found in entry_points(group=GROUP)}


def _overview() -> str:
    commands = sorted(_commands().items())
    lines = [f"  {name:<10} {_summary(found)}" for name, found in commands]
    return "\n".join(["usage: taskwire COMMAND [OPTIONS]", "", *lines, "", "taskwire COMMAND --help says more."])


def _summary(found: EntryPoint) -> str:
    try:
        documentation = found.load().__doc__ or ""
    except (ImportError, AttributeError):
        return f"(not installed; {_hint(found)})"
    return str(documentation.strip().partition("\n")[0])


def _hint(found: EntryPoint) -> str:
    extra = "embedded" if found.name in _EMBEDDED else "server"
    return f"install it with its servers, from a clone: pip install '.[{extra}]'"

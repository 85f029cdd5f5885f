"""`taskwire` finds its commands and says what there is."""

import os
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from taskwire.cli import main as entry


@pytest.fixture
def commands(monkeypatch):
    def install(**targets: str) -> None:
        found = {name: EntryPoint(name, target, entry.GROUP) for name, target in targets.items()}
        monkeypatch.setattr(entry, "_commands", lambda: found)

    return install


def test_overview_lists_every_command(capsys) -> None:
    assert entry.main([]) == 0

    listed = capsys.readouterr().out
    for name in ("create", "get", "list", "cancel", "watch", "queues", "health", "gateway", "processor", "dev"):
        assert f"\n  {name} " in listed


def test_version(capsys) -> None:
    assert entry.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("taskwire ")


def test_unknown_command_is_a_usage_error(capsys) -> None:
    assert entry.main(["frobnicate"]) == 2
    assert "there is no command 'frobnicate'" in capsys.readouterr().err


def test_command_gets_the_rest_of_the_line(commands, capsys) -> None:
    commands(show="builtins:print")

    entry.main(["show", "a", "--b"])

    assert capsys.readouterr().out == "['a', '--b']\n"


@pytest.mark.parametrize(("name", "extra"), [("dev", "embedded"), ("demo", "embedded"), ("gateway", "server")])
def test_command_without_its_extra_says_what_to_install(commands, capsys, name, extra) -> None:
    commands(**{name: "taskwire_not_there.command:main"})

    assert entry.main([name]) == 2
    assert f"from a clone: pip install '.[{extra}]'" in capsys.readouterr().err
    assert entry.main(["--help"]) == 0
    assert (
        f"not installed; install it with its servers, from a clone: pip install '.[{extra}]'" in capsys.readouterr().out
    )


class _Command:
    """Is interrupted when it is imported or when it runs, or finds its reader gone."""

    def __init__(self, *, at_import: BaseException | None = None, later: BaseException | None = None) -> None:
        self._at_import, self._later = at_import, later

    def load(self) -> entry.Command:
        if self._at_import is not None:
            raise self._at_import
        return self._run

    def _run(self, _argv: list[str]) -> int:
        if self._later is not None:
            raise self._later
        return 0


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (_Command(at_import=KeyboardInterrupt()), 130),
        (_Command(later=KeyboardInterrupt()), 130),
        (_Command(later=BrokenPipeError()), 1),
    ],
    ids=["import", "run", "pipe"],
)
def test_interruptions_are_quiet(command, code, monkeypatch, capfd) -> None:
    monkeypatch.setattr(entry, "_commands", lambda: {"show": command})

    assert entry.main(["show"]) == code
    assert capfd.readouterr().err == ""


def test_reader_that_has_gone_is_no_fault() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code = "import sys; from taskwire.cli.main import main; sys.exit(main(['--version']))"
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}

    with os.fdopen(writing, "wb") as gone:
        ended = subprocess.run(
            [sys.executable, "-c", code], env=buffered, stdout=gone, stderr=subprocess.PIPE, check=False
        )

    assert (ended.returncode, ended.stderr) == (0, b"")

"""`taskwire` finds its commands and says what there is."""

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

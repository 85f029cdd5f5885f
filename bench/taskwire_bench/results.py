"""What a scenario has found, and where it is kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from taskwire_bench.conditions import Conditions
from taskwire_bench.spread import Spread


class Figure(Struct, frozen=True, kw_only=True):
    """One measured quantity."""

    name: str
    """As in `targets`: `throughput`, `latency.500.start.p99` ..."""
    unit: str
    spread: Spread


class Result(Struct, frozen=True, kw_only=True):
    """What one scenario has found."""

    scenario: str
    count: int
    """Tasks per run, or what else the scenario counts."""
    conditions: Conditions
    settings: Mapping[str, str] = {}
    figures: tuple[Figure, ...] = ()
    cpu: Mapping[str, Mapping[str, Spread]] = {}
    """CPU seconds per 1,000 tasks by role, by what was measured."""
    missing: Mapping[str, str] = {}
    """What could not be measured, and why."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Everything else that plots and readers may want."""

    def figure(self, name: str) -> Figure | None:
        """Return a figure by its name."""
        return next((figure for figure in self.figures if figure.name == name), None)


class Shelf:
    """A folder with the newest result of each scenario, one JSON file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, result: Result) -> Path:
        """Write a result and return its file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{result.scenario}.json"
        file.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
        return file

    def find(self, scenario: str) -> Result | None:
        """Return the newest result of a scenario, or None where there is none that this version can read."""
        try:
            return msgspec.json.decode((self._folder / f"{scenario}.json").read_bytes(), type=Result)
        except (OSError, msgspec.MsgspecError):
            return None

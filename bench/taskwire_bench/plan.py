"""How much of a scenario is run."""

from collections.abc import Callable

from msgspec import Struct

Say = Callable[[str], None]
"""Tells the person who waits."""


class Plan(Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    count: int
    """Tasks per run, or what else the scenario counts."""
    runs: int
    say: Say
    is_short: bool = False
    """Whether to leave out what takes time and seldom changes the outcome: it makes no figures."""

"""What a client process is to do."""

from collections.abc import Mapping

from msgspec import Struct, field

EVERYTHING = {
    "create": 40,
    "key": 6,
    "conflict": 3,
    "batch": 6,
    "cancel": 14,
    "race": 10,
    "get": 6,
    "watch": 16,
    "foreign": 4,
    "poison": 3,
}
"""The usual mix of operations, by weight."""


class LoadPlan(Struct, frozen=True, kw_only=True):
    """What a client process is to do."""

    who: str
    folder: str
    """Of the run."""
    seed: int
    addresses: tuple[str, ...]
    """Of the gateways."""
    workers: int = 6
    """Who each do one operation at a time."""
    pause_ms: float = 250.0
    """Between two operations of a worker, on average."""
    operations: Mapping[str, int] = field(default_factory=lambda: EVERYTHING)
    hasty: float = 0.1
    """Which part of the calls is given up by their caller after some milliseconds."""
    watches_max: int = 40
    settle_seconds: float = 60.0
    """How long watches may take to end after the last operation."""
    call_seconds: float = 5.0


class WatchPlan(Struct, frozen=True, kw_only=True):
    """What a process that watches everything is to do."""

    who: str
    folder: str
    address: str
    slow_seconds: float = 0.0
    """How long it thinks about each message."""

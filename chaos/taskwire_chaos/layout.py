"""Where the files of a run are."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct


class Facts(Struct, frozen=True, kw_only=True):
    """What a validator must know of a run beside its journals."""

    seed: int
    length: str
    lease_seconds: float
    cancel_grace_seconds: float
    bound_seconds: float
    """How old anything owed may be when all faults were healed for as long."""
    bugs: tuple[str, ...] = ()
    tries_everything: bool = False
    """Whether starts and cancels had to be timed at rest."""
    least: Mapping[str, int] = {}
    """How often something must have been tried: names of faults, and of what `counts` counts."""


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def make(self) -> None:
        """Make the folder and those in it."""
        for folder in (self.path, self.journals, self.logs, self.servers):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def journals(self) -> Path:
        """Return the folder of what everybody saw."""
        return self.path / "journals"

    @property
    def logs(self) -> Path:
        """Return the folder of the logs of services and clients."""
        return self.path / "logs"

    @property
    def servers(self) -> Path:
        """Return the folder of Postgres and NATS."""
        return self.path / "servers"

    @property
    def books(self) -> Path:
        """Return the folder of what was in the database at the end."""
        return self.path / "books"

    def journal(self, who: str) -> Path:
        """Return the file that `who` writes what it sees to."""
        return self.journals / f"{who}.jsonl"

    def keep_facts(self, facts: Facts) -> None:
        """Store the facts."""
        (self.path / "facts.json").write_bytes(msgspec.json.format(msgspec.json.encode(facts)))

    def facts(self) -> Facts:
        """Return the facts of a run that was stored."""
        return msgspec.json.decode((self.path / "facts.json").read_bytes(), type=Facts)

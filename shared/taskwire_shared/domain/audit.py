"""What must hold of a database and a broker at any moment, and what may be found wrong with them."""

from enum import StrEnum

from msgspec import Struct


class Check(StrEnum):
    """What is looked at. The order is that of the report."""

    KEYS = "keys"
    VERSIONS = "versions"
    FINALS = "finals"
    STEPS = "steps"
    FENCES = "fences"
    ATTEMPTS = "attempts"
    CANCELS = "cancels"
    RESULTS = "results"
    TENANTS = "tenants"
    LEASES = "leases"
    DEBTS = "debts"
    LINES = "lines"
    RINGS = "rings"
    DAYS = "days"
    CONNECTIONS = "connections"


class Rule(Struct, frozen=True):
    """What a check holds the data against."""

    promise: str
    """The number of the promise that is broken where the rule is."""
    text: str


RULES: dict[Check, Rule] = {
    Check.KEYS: Rule("P2", "an idempotency key is there once and names the task that was created with it"),
    Check.VERSIONS: Rule("P6", "the versions of a task are 1, 2, 3 ... in the order of time; its row is the last one"),
    Check.FINALS: Rule("P4", "a task ends at most once, and nothing follows"),
    Check.STEPS: Rule("P4", "a task moves from state to state in legal steps only"),
    Check.FENCES: Rule("P4", "every claim is a new attempt, and what ends an attempt carries its number and processor"),
    Check.ATTEMPTS: Rule("P8", "no task uses more attempts than it may, and only one that has used them is exhausted"),
    Check.CANCELS: Rule("P7", "nothing starts, and nothing fails or is retried, once a cancel was asked for"),
    Check.RESULTS: Rule("P4", "there is an output only where a task has succeeded, a failure exactly where it failed"),
    Check.TENANTS: Rule("P10", "the history of a task belongs to the tenant of the task"),
    Check.LEASES: Rule("P5", "what is running is held by a processor with a live lease, or is taken back in time"),
    Check.DEBTS: Rule("P5", "what is owed at a time is noted, and done in time"),
    Check.LINES: Rule("P3", "the first in line starts in time where a processor is idle; somebody serves every line"),
    Check.RINGS: Rule("P5", "the broker has the stream and the consumers of the rings, and none that is too old"),
    Check.DAYS: Rule("P1", "there is a day to put a new task in, today and for days to come; every index is valid"),
    Check.CONNECTIONS: Rule("P9", "no connection of ours is left within a transaction, and there are some to spare"),
}


class Flaw(Struct, frozen=True):
    """One thing that is wrong."""

    check: Check
    subject: str
    """What it is about: the id of a task, most often."""
    detail: str
    is_warning: bool = False
    """Whether somebody should look at it although no rule is broken."""


class Flaws(Struct, frozen=True):
    """Flaws of one kind, of which only some are shown."""

    shown: tuple[Flaw, ...]
    """Never empty."""
    count: int

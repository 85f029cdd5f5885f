"""The kinds of tasks, and what each asks for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random

from taskwire.requests import NewTask
from taskwire_chaos.handlers import Wish

PATIENT_ATTEMPTS = 30
"""For tasks that shall succeed however many processors are killed under them."""
POISON_ATTEMPTS = 2
BACKOFF_SECONDS = 0.1

Kind = Callable[[Random, str], NewTask]


def _kind(type_: str, low_ms: int, high_ms: int, attempts: int = PATIENT_ATTEMPTS) -> Kind:
    def make(random: Random, tag: str) -> NewTask:
        wish = Wish(ms=random.randint(low_ms, high_ms), tag=tag)
        return NewTask(type=type_, input=wish, max_attempts=attempts, initial_backoff=BACKOFF_SECONDS, max_backoff=1.0)

    return make


def _flaky(random: Random, tag: str) -> NewTask:
    return NewTask(
        type="chaos.flaky",
        input=Wish(ms=random.randint(0, 50), failures=random.randint(1, 2), tag=tag),
        max_attempts=PATIENT_ATTEMPTS,
        initial_backoff=BACKOFF_SECONDS,
        max_backoff=1.0,
    )


def _delayed(random: Random, tag: str) -> NewTask:
    return NewTask(
        type="chaos.work",
        input=Wish(ms=20, tag=tag),
        max_attempts=PATIENT_ATTEMPTS,
        schedule_time=datetime.now(UTC) + timedelta(seconds=random.uniform(0.1, 4)),
        initial_backoff=BACKOFF_SECONDS,
    )


def _expiring(random: Random, tag: str) -> NewTask:
    return NewTask(
        type="chaos.work",
        input=Wish(ms=300, tag=tag),
        max_attempts=PATIENT_ATTEMPTS,
        expire_time=datetime.now(UTC) + timedelta(seconds=random.uniform(0.2, 4)),
    )


def _hanging(random: Random, tag: str) -> NewTask:
    del random
    return NewTask(
        type="chaos.stubborn",
        input=Wish(ms=600_000, tag=tag),
        max_attempts=POISON_ATTEMPTS,
        attempt_timeout=0.5,
        initial_backoff=BACKOFF_SECONDS,
    )


KINDS: dict[str, Kind] = {
    "brief": _kind("chaos.work", 0, 80),
    "long": _kind("chaos.work", 1000, 3000),
    "slow": _kind("chaos.work", 2000, 4000),
    "thread": _kind("chaos.thread", 20, 500),
    "process": _kind("chaos.process", 20, 200),
    "stubborn": _kind("chaos.stubborn", 2000, 4000),
    "flaky": _flaky,
    "delayed": _delayed,
    "expiring": _expiring,
}
POISON: dict[str, Kind] = {
    "suicide": _kind("chaos.suicide", 0, 50, POISON_ATTEMPTS),
    "greedy": _kind("chaos.greedy", 0, 0, POISON_ATTEMPTS),
    "unstorable": _kind("chaos.unstorable", 0, 0, POISON_ATTEMPTS),
    "hanging": _hanging,
}
TRIAL = "trial"
"""What is tried at rest."""
USUAL = (("brief", 10), ("long", 2), ("thread", 3), ("process", 1), ("flaky", 3), ("delayed", 2), ("expiring", 1))
"""How often each kind is created, by weight."""


def any_kind(random: Random) -> str:
    """Choose among the usual kinds."""
    return random.choices([name for name, _ in USUAL], [weight for _, weight in USUAL])[0]


@cache
def asked_for(kind: str) -> tuple[frozenset[str], int]:
    """Return the types of which a task of a kind may be, and how many attempts it is given."""
    if kind == TRIAL:
        return frozenset({"chaos.work", "chaos.stubborn"}), PATIENT_ATTEMPTS
    # Only brief ones are created without naming their kind: by key, in batches, twice and for races.
    new = (KINDS | POISON)[kind or "brief"](Random(0), "")  # noqa: S311
    return frozenset({new.type}), new.max_attempts or 0

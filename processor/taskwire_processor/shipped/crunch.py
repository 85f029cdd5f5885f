"""`crunch`: computes, in a process of its own."""

import msgspec

from taskwire import Attempt, handler

REPORTS = 20
"""Progress reports."""
LOOK_CANDIDATES = 1000
"""Numbers between two looks whether to stop: some milliseconds of work."""


class Bound(msgspec.Struct, frozen=True):
    """How far to count."""

    n: int = 200_000


@handler("crunch", process=True)
def crunch(bound: Bound, attempt: Attempt) -> int:
    """Count the primes up to `{"n": 200000}` by trial division, slowly on purpose."""
    found: list[int] = []
    step = max(1, bound.n // REPORTS)
    for candidate in range(2, bound.n + 1):
        if candidate % LOOK_CANDIDATES == 0:
            attempt.raise_if_cancelled()
        if candidate % step == 0:
            attempt.report(candidate / bound.n, f"{len(found)} primes up to {candidate}")
        if _is_prime(candidate, found):
            found.append(candidate)
    return len(found)


def _is_prime(candidate: int, primes: list[int]) -> bool:
    for prime in primes:
        if prime * prime > candidate:
            return True
        if candidate % prime == 0:
            return False
    return True

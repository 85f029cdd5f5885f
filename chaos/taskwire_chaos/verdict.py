"""Judges a history by all validators."""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from taskwire_chaos.history import History
from taskwire_chaos.validators import (
    p1_never_lost,
    p2_safe_to_repeat,
    p3_at_least_once,
    p4_one_outcome,
    p5_bounded_recovery,
    p6_watch,
    p7_cancel,
    p8_poison,
    p9_overload,
    p10_tenants,
)

VALIDATORS: Mapping[str, Callable[[History], Iterable[str]]] = {
    "P1 never lost": p1_never_lost.check,
    "P2 safe to repeat": p2_safe_to_repeat.check,
    "P3 at least once": p3_at_least_once.check,
    "P4 one outcome": p4_one_outcome.check,
    "P5 bounded recovery": p5_bounded_recovery.check,
    "P6 watch": p6_watch.check,
    "P7 cancel": p7_cancel.check,
    "P8 poison": p8_poison.check,
    "P9 overload": p9_overload.check,
    "P10 tenants": p10_tenants.check,
}
VIOLATIONS_MAX = 200
"""Given by one validator. Where everything is broken, some are enough."""


def judge(history: History) -> dict[str, list[str]]:
    """Return the violations by validator; an empty list is a promise kept."""
    return {name: list(islice(check(history), VIOLATIONS_MAX)) for name, check in VALIDATORS.items()}

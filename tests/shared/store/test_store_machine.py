"""No order of the store's statements does anything but what the model says, and a statement that did would be found.

    .venv/bin/python -m pytest tests/shared/store/test_store_machine.py -k any_order --hypothesis-profile=hunt

looks for a quarter of an hour, at other programs each time. One that fails is made as short as it can be.
"""

from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from store_machine import machine_on

from taskwire_chaos.planted.replacing import replace_text
from taskwire_shared.store import cancels, claims, completions, creations, dues, events, processors, reaps

EXAMPLES = 60
STEPS = 50
"""At most. All of it takes about 8 s on an idle machine."""
SHRINKING_SECONDS = 400
"""For making a program that fails as short as it can be: five minutes at most."""

USUAL = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[*HealthCheck],
)
# Found is enough, and nobody has to read how.
QUICK = settings(USUAL, phases=[Phase.generate], print_blob=False, report_multiple_bugs=False)
HUNT = settings.get_profile("hunt")
IS_HUNT = settings.get_current_profile_name() == "hunt"

BROKEN: dict[str, list[tuple[Any, str, str, str]]] = {
    "a success from anybody": [
        (completions, "SUCCEED", "t.processor = $1 AND t.attempt = o.attempt", "$1::uuid IS NOT NULL")
    ],
    "a success of an old attempt": [(completions, "SUCCEED", "t.attempt = o.attempt", "t.attempt >= o.attempt")],
    "a failure of an old attempt": [(completions, "SETTLE", "t.attempt = o.attempt", "t.attempt >= o.attempt")],
    "progress of an old attempt": [(completions, "REPORT_PROGRESS", "t.attempt = o.attempt", "t.attempt >= o.attempt")],
    "a hand-back that counts": [(completions, "SETTLE", "THEN 1 ELSE 0 END", "THEN 0 ELSE 0 END")],
    "a retry past the last attempt": [(completions, "SETTLE", "WHEN exhausted THEN 5", "WHEN false THEN 5")],
    "a cancel after the end": [
        (cancels, "CANCEL", " AND t.state <= 3", ""),
        (cancels, "CANCEL", "ELSE 6 END", "ELSE t.state END"),
    ],
    "a cancel that is asked for twice": [(cancels, "CANCEL", " AND t.cancel_requested_at IS NULL", "")],
    "a cancel of another tenant": [(cancels, "CANCEL", "t.tenant = $2", "$2::text IS NOT NULL")],
    "a claim without a lease": [
        (claims, "CLAIM", "p.lease_until > clock_timestamp()", "true"),
        (claims, "LOCK_WAITING", "p.lease_until > clock_timestamp()", "true"),
    ],
    "a claim from a paused queue": [(claims, "CLAIM", "WHERE q.paused", "WHERE false")],
    "a claim of the expired": [(claims, "CLAIM", "t.expire_at > now()", "true")],
    "a claim that ignores priority": [(claims, "LOCK_WAITING", "first.priority DESC, ", "")],
    "an event that is not written": [
        (reaps, "TAKE_BACK", "cancel_requested_at FROM changed", "cancel_requested_at FROM changed WHERE false")
    ],
    "a cancel that is forgotten": [(reaps, "TAKE_BACK", "WHEN cancel_requested_at IS NOT NULL THEN 6", "")],
    "a lease that rises again": [(processors, "RENEW", " AND lease_until > clock_timestamp()", "")],
    "a start after the expiry": [(dues, "START_DUE", "WHEN t.expire_at <= now()", "WHEN false")],
    "a version twice": [(events, "VERSIONS", "version > wanted.after", "version >= wanted.after")],
    "a feed with a gap": [
        (events, "FEED", "e.xid >= $1", "e.xid > $1"),
        (events, "MOVES", "e.xid >= $1", "e.xid > $1"),
    ],
    "a key for other content": [(creations, "CREATE_ONCE", "k.request_hash <> excluded.request_hash", "false")],
}
"""Statements that do what they should not: module, name, words and what they become."""

FOUND = (AssertionError, asyncpg.IntegrityConstraintViolationError)


@pytest.mark.timeout(0 if IS_HUNT else SHRINKING_SECONDS)
def test_p4_any_order_of_statements_does_what_the_model_says(database_url: str) -> None:
    with machine_on(database_url) as machine:
        run_state_machine_as_test(machine, settings=HUNT if IS_HUNT else USUAL)


@pytest.mark.parametrize("flaw", BROKEN)
def test_a_broken_statement_is_found(database_url: str, flaw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, was, becomes in BROKEN[flaw]:
        monkeypatch.setattr(module, name, getattr(module, name))
        replace_text(module, name, was, becomes)
    with machine_on(database_url) as machine, pytest.raises(FOUND):
        run_state_machine_as_test(machine, settings=QUICK)

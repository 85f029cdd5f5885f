"""Resume tokens: bound to tenant, selector and database, and short."""

import pytest

from taskwire_gateway.resume_token import ResumeTokens
from taskwire_gateway.seal import Seal
from taskwire_shared.domain.errors import InvalidFields, ResumeTokenExpired
from taskwire_shared.domain.selector import EVERY_TASK, TaskSelector
from taskwire_shared.store.positions import Position

SEAL = Seal(b"s" * 32)
POSITION = Position(7_000_000_000, tuple(range(6_999_999_000, 6_999_999_900, 20)))


def test_a_token_opens_for_the_same_caller_selector_and_database():
    tokens = ResumeTokens(SEAL, "one", "t", EVERY_TASK)
    token = tokens.make(POSITION)
    assert len(token) <= 256
    assert tokens.open(token) == POSITION
    assert tokens.open("") is None


@pytest.mark.parametrize(
    "other",
    [
        ResumeTokens(SEAL, "one", "u", EVERY_TASK),
        ResumeTokens(SEAL, "one", "t", TaskSelector(types=frozenset({"echo"}))),
        ResumeTokens(Seal(b"t" * 32), "one", "t", EVERY_TASK),
    ],
    ids=["tenant", "selector", "secret"],
)
def test_a_token_of_somebody_or_something_else_is_refused(other):
    with pytest.raises(InvalidFields) as caught:
        other.open(ResumeTokens(SEAL, "one", "t", EVERY_TASK).make(POSITION))
    assert [violation.field for violation in caught.value.violations] == ["resume_token"]


def test_p6_a_token_from_before_a_restore_has_expired():
    token = ResumeTokens(SEAL, "one", "t", EVERY_TASK).make(POSITION)
    with pytest.raises(ResumeTokenExpired):
        ResumeTokens(SEAL, "two", "t", EVERY_TASK).open(token)


BUSY = Position(7_000_000_000, tuple(range(5, 1_000)))


def test_a_position_with_too_many_open_transactions_gets_no_token():
    assert ResumeTokens(SEAL, "one", "t", EVERY_TASK).make(BUSY) is None


def test_p6_a_first_token_is_made_in_any_case_and_leaves_nothing_out():
    tokens = ResumeTokens(SEAL, "one", "t", EVERY_TASK)
    assert tokens.open(tokens.make_first(POSITION)) == POSITION
    token = tokens.make_first(BUSY)
    assert len(token) <= 256
    assert tokens.open(token) == Position(BUSY.xmin)

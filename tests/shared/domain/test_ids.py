"""Identifiers of version 7."""

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

from hypothesis import given
from hypothesis import strategies as st

from taskwire_shared.domain.ids import TAIL_BYTES, floor_id, fresh_tails, id_at, id_time, new_id

MILLISECONDS = st.integers(min_value=0, max_value=2**48 - 1)
# The year 9999 is the last that a datetime can tell.
TELLABLE = st.integers(min_value=0, max_value=253_402_300_799_999)


@given(MILLISECONDS)
def test_identifier_is_a_uuid_of_version_7(unix_ms: int) -> None:
    made = id_at(unix_ms)

    assert made.version == 7
    assert made.variant == RFC_4122
    assert made.int >> 80 == unix_ms


@given(TELLABLE)
def test_time_comes_back_to_the_millisecond(unix_ms: int) -> None:
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=unix_ms)

    assert id_time(id_at(unix_ms)) == expected


@given(TELLABLE)
def test_floor_is_below_every_identifier_of_its_millisecond(unix_ms: int) -> None:
    floor = floor_id(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=unix_ms))

    assert floor.int >> 80 == unix_ms
    assert floor < id_at(unix_ms)


def test_fresh_identifiers_differ_and_carry_the_time() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    made = [new_id() for _ in range(1000)]

    assert len(set(made)) == 1000
    assert all(before <= id_time(one) <= datetime.now(UTC) for one in made)


def test_of_many_tails_every_bit_but_the_marks_is_random() -> None:
    tails = fresh_tails(500)
    numbers = [int.from_bytes(tails[at : at + TAIL_BYTES], "big") for at in range(0, len(tails), TAIL_BYTES)]
    always, sometimes = numbers[0], 0
    for number in numbers:
        always &= number
        sometimes |= number

    assert len(numbers) == 500
    # Of 74 random bits, one is the same 500 times in a row once in 10^148 runs.
    assert always == 0x7 << 76 | 0b10 << 62
    assert sometimes == (1 << 80) - 1 ^ (0x8 << 76 | 0b01 << 62)

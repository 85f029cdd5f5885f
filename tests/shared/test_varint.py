"""Numbers survive, and what is no number is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskwire_shared.varint import put_number, take_number


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1))
def test_numbers_come_back_one_after_the_other(numbers: list[int]) -> None:
    encoded, at = bytearray(), 0
    for number in numbers:
        put_number(encoded, number)

    for number in numbers:
        found, at = take_number(bytes(encoded), at)
        assert found == number
    assert at == len(encoded)


@pytest.mark.parametrize(("number", "encoded"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02")])
def test_numbers_are_written_as_protobuf_writes_them(number: int, encoded: str) -> None:
    found = bytearray()
    put_number(found, number)
    assert found.hex() == encoded


@pytest.mark.parametrize("encoded", [b"", b"\x80", b"\xff" * 20, b"\xff" * 9 + b"\x02"])
def test_what_ends_too_early_or_is_too_big_is_refused(encoded: bytes) -> None:
    with pytest.raises(ValueError, match="not a number"):
        take_number(encoded, 0)

"""The fast class of identifiers is Python's as far as anybody can tell."""

import time
from itertools import islice
from uuid import RFC_4122, UUID

import pytest

from taskwire_shared.domain.ids import new_id
from taskwire_shared.identifiers import fresh_identifiers, identifier


def test_an_identifier_is_a_uuid():
    plain = new_id()
    for fast in (identifier(str(plain)), identifier(plain.bytes)):
        assert isinstance(fast, UUID)
        assert (fast, fast.int, fast.bytes, str(fast), hash(fast)) == (
            plain,
            plain.int,
            plain.bytes,
            str(plain),
            hash(plain),
        )
        assert {plain: 1}[fast] == 1


@pytest.mark.parametrize("nonsense", ["", "x", b"123"])
def test_nonsense_is_none(nonsense):
    with pytest.raises(ValueError, match=r"UUID|bytes"):
        identifier(nonsense)


def test_fresh_ones_are_new_and_of_version_7_and_of_their_time():
    before = time.time_ns() // 1_000_000
    ids = list(islice(fresh_identifiers(), 200))
    after = time.time_ns() // 1_000_000

    assert len({one.int & (1 << 62) - 1 for one in ids}) == 200
    assert {type(one) for one in ids} == {type(identifier(bytes(16)))}
    assert {(one.version, one.variant) for one in ids} == {(7, RFC_4122)}
    assert all(before <= one.int >> 80 <= after for one in ids)

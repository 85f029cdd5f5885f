"""The fast class of identifiers is Python's as far as anybody can tell."""

from uuid import UUID

import pytest

from taskwire_shared.domain.ids import new_id
from taskwire_shared.identifiers import identifier


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

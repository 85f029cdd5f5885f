"""The fast class of identifiers is Python's as far as anybody can tell."""

from uuid import UUID

import pytest

from taskwire_shared.domain.ids import new_id
from taskwire_shared.identifiers import fresh_identifier, identifier


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


def test_a_fresh_one_is_new_and_of_version_7():
    ids = {fresh_identifier() for _ in range(100)}

    assert len(ids) == 100
    assert {type(one) for one in ids} == {type(identifier(bytes(16)))}
    assert {one.version for one in ids} == {7}

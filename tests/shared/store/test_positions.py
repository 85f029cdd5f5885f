import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskwire_shared.store.positions import Position

XIDS = st.integers(min_value=0, max_value=2**63)


@st.composite
def positions(draw):
    xmax = draw(XIDS)
    open_ = draw(st.sets(st.integers(min_value=0, max_value=xmax - 1), max_size=50)) if xmax else set()
    return Position(xmax, tuple(sorted(open_)))


@given(positions())
def test_a_position_is_read_as_it_was_written(position):
    assert Position.from_bytes(position.to_bytes()) == position


@given(st.binary(max_size=100))
def test_any_bytes_are_a_position_or_refused(encoded):
    try:
        position = Position.from_bytes(encoded)
    except ValueError:
        return
    assert list(position.open) == sorted(set(position.open))
    assert all(0 <= xid < position.xmax for xid in position.open)


@pytest.mark.parametrize("encoded", [b"", b"\x80", b"\x05\x00", b"\x05\x06", b"\xff" * 20])
def test_what_is_no_position_is_refused(encoded):
    with pytest.raises(ValueError, match=r"not a (position|number)"):
        Position.from_bytes(encoded)


def test_a_snapshot_of_postgres_is_read():
    assert Position.of_snapshot("10:20:10,14,15") == Position(20, (10, 14, 15))
    assert Position.of_snapshot("20:20:") == Position(20)


def test_the_lowest_unread_transaction_is_the_first_open_one():
    assert Position(20, (10, 14)).xmin == 10
    assert Position(20).xmin == 20


def test_what_was_open_or_came_later_has_not_been_read():
    position = Position(20, (10, 14))
    assert [xid for xid in range(9, 22) if not position.has_read(xid)] == [10, 14, 20, 21]


def test_a_busy_position_is_short():
    # Forty transactions at once, a hundred thousand apart from the oldest, after years of use.
    xmax = 10**13
    position = Position(xmax, (xmax - 100_000, *range(xmax - 80, xmax, 2)))
    assert len(position.to_bytes()) < 60

"""The position of a reader of the feed: a snapshot of Postgres, since no counter is in the order of commits."""

from typing import Self

from msgspec import Struct

_MORE = 0x80
_LOW_BITS = 0x7F
_BITS = 7
_XID_BITS = 64


class Position(Struct, frozen=True):
    """Every event of a transaction below `xmax` has been read, except those in `open`."""

    xmax: int
    open: tuple[int, ...] = ()
    """Transactions below `xmax` that are still to be read, ascending."""

    @property
    def xmin(self) -> int:
        """Return the transaction below which everything has been read."""
        return self.open[0] if self.open else self.xmax

    @classmethod
    def of_snapshot(cls, snapshot: str) -> Self:
        """Read the text of a `pg_snapshot`: `xmin:xmax:xip,xip`."""
        _, xmax, xip = snapshot.split(":")
        return cls(int(xmax), tuple(map(int, xip.split(","))) if xip else ())

    def ending_at(self, xmax: int) -> "Position":
        """Return the part of it below transaction `xmax`."""
        return Position(xmax, tuple(xid for xid in self.open if xid < xmax))

    def to_bytes(self) -> bytes:
        """Return a compact form: about 6 bytes, and 1 to 3 for each open transaction."""
        encoded = bytearray()
        _put_number(encoded, self.xmax)
        above = self.xmax
        for xid in reversed(self.open):
            _put_number(encoded, above - xid)
            above = xid
        return bytes(encoded)

    @classmethod
    def from_bytes(cls, encoded: bytes) -> Self:
        """Read what `to_bytes` has made. Raises ValueError for anything else."""
        xmax, at = _take_number(encoded, 0)
        open_: list[int] = []
        above = xmax
        while at < len(encoded):
            distance, at = _take_number(encoded, at)
            above -= distance
            if distance == 0 or above < 0:
                raise ValueError("not a position")
            open_.append(above)
        return cls(xmax, tuple(reversed(open_)))


def _put_number(encoded: bytearray, number: int) -> None:
    while number > _LOW_BITS:
        encoded.append(number & _LOW_BITS | _MORE)
        number >>= _BITS
    encoded.append(number)


def _take_number(encoded: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(encoded) and shift < _XID_BITS:
        byte = encoded[at]
        number |= (byte & _LOW_BITS) << shift
        at += 1
        if not byte & _MORE:
            if number >> _XID_BITS:
                break
            return number, at
        shift += _BITS
    raise ValueError("not a position")

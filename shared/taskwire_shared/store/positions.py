"""The position of a reader of the feed: a snapshot of Postgres, since no counter is in the order of commits."""

from typing import Self

from msgspec import Struct

from taskwire_shared.varint import put_number, take_number


class Position(Struct, frozen=True):
    """Every event of a transaction below `xmax` has been read, except those in `open`."""

    xmax: int
    open: tuple[int, ...] = ()
    """Transactions below `xmax` that are still to be read, ascending."""

    @property
    def xmin(self) -> int:
        """Return the transaction below which everything has been read."""
        return self.open[0] if self.open else self.xmax

    def has_read(self, xid: int) -> bool:
        """Tell whether what transaction `xid` has written has been read."""
        return xid < self.xmax and xid not in self.open

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
        put_number(encoded, self.xmax)
        above = self.xmax
        for xid in reversed(self.open):
            put_number(encoded, above - xid)
            above = xid
        return bytes(encoded)

    @classmethod
    def from_bytes(cls, encoded: bytes) -> Self:
        """Read what `to_bytes` has made. Raises ValueError for anything else."""
        xmax, at = take_number(encoded, 0)
        open_: list[int] = []
        above = xmax
        while at < len(encoded):
            distance, at = take_number(encoded, at)
            above -= distance
            if distance == 0 or above < 0:
                raise ValueError("not a position")
            open_.append(above)
        return cls(xmax, tuple(reversed(open_)))

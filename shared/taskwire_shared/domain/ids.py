"""Identifiers: UUIDs of version 7 (RFC 9562, section 5.7), which begin with their time."""

import os
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

TIME_BYTES = 6
"""An identifier begins with: milliseconds since 1970, the highest byte first."""
TAIL_BYTES = 10
"""It goes on with: 74 random bits, and between them its version and its variant."""

_MARKS = (0x7 << 76 | 0b10 << 62).to_bytes(TAIL_BYTES, "big")
"""Version 7 and the variant of RFC 9562."""
_RANDOM_BITS = (0xFFF << 64 | (1 << 62) - 1).to_bytes(TAIL_BYTES, "big")


def new_id() -> UUID:
    """Make a fresh UUIDv7 from the wall clock and 74 random bits."""
    return id_at(time.time_ns() // 1_000_000)


def id_at(unix_ms: int) -> UUID:
    """Make a fresh UUIDv7 whose time is `unix_ms`, milliseconds since 1970."""
    return UUID(bytes=unix_ms.to_bytes(TIME_BYTES, "big") + fresh_tails(1))


def fresh_tails(count: int) -> bytes:
    """Make all but the times of `count` fresh UUIDv7s, one tail of `TAIL_BYTES` behind the other."""
    random = int.from_bytes(os.urandom(TAIL_BYTES * count), "big")
    tails = random & int.from_bytes(_RANDOM_BITS * count, "big") | int.from_bytes(_MARKS * count, "big")
    return tails.to_bytes(TAIL_BYTES * count, "big")


def floor_id(moment: datetime) -> UUID:
    """Return the least UUID whose first 48 bits are `moment`: a bound for ranges, not an identifier."""
    return UUID(int=(moment - _EPOCH) // _MILLISECOND << 80)


def id_time(identifier: UUID) -> datetime:
    """Return the time that a UUIDv7 begins with, to the millisecond."""
    return _EPOCH + (identifier.int >> 80) * _MILLISECOND

"""Identifiers: UUIDs of version 7 (RFC 9562, section 5.7), which begin with their time."""

import os
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

RANDOM_BYTES = 10
"""Of which an identifier takes 74 bits."""

_VERSION_7 = 0x7 << 76
_VARIANT_RFC = 0b10 << 62
_RAND_A_MASK = 0xFFF << 64
_RAND_B_MASK = (1 << 62) - 1


def new_id() -> UUID:
    """Make a fresh UUIDv7 from the wall clock and 74 random bits."""
    return id_at(time.time_ns() // 1_000_000)


def id_at(unix_ms: int) -> UUID:
    """Make a fresh UUIDv7 whose time is `unix_ms`, milliseconds since 1970."""
    return UUID(int=id_number(unix_ms, os.urandom(RANDOM_BYTES)))


def id_number(unix_ms: int, random: bytes) -> int:
    """Put the number of a UUIDv7 together from its time and `RANDOM_BYTES` random bytes."""
    random_bits = int.from_bytes(random, "big")
    rand_a = (random_bits << 2) & _RAND_A_MASK
    rand_b = random_bits & _RAND_B_MASK
    return unix_ms << 80 | _VERSION_7 | rand_a | _VARIANT_RFC | rand_b


def floor_id(moment: datetime) -> UUID:
    """Return the least UUID whose first 48 bits are `moment`: a bound for ranges, not an identifier."""
    return UUID(int=(moment - _EPOCH) // _MILLISECOND << 80)


def id_time(identifier: UUID) -> datetime:
    """Return the time that a UUIDv7 begins with, to the millisecond."""
    return _EPOCH + (identifier.int >> 80) * _MILLISECOND

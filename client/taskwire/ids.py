"""Identifiers of tasks: UUIDs of version 7 (RFC 9562, section 5.7), which begin with their time."""

import os
import time
from uuid import UUID

_VERSION_7 = 0x7 << 76
_VARIANT_RFC = 0b10 << 62
_RANDOM_HIGH = 0xFFF << 64
_RANDOM_LOW = (1 << 62) - 1


def fresh_task_id() -> str:
    """Make a fresh UUIDv7 from the wall clock and 74 random bits, in its canonical text form."""
    random_bits = int.from_bytes(os.urandom(10), "big")
    unix_ms = time.time_ns() // 1_000_000
    value = unix_ms << 80 | _VERSION_7 | (random_bits << 2) & _RANDOM_HIGH | _VARIANT_RFC | random_bits & _RANDOM_LOW
    return str(UUID(int=value))

"""Identifiers read by the database driver's class of UUIDs, which is written in C.

An id goes through many hands in the life of a task, and each reads, writes, compares or hashes it. In nanoseconds, and
in brackets with Python's class, of which this is a subclass and to which it is equal: read from text 93 (909), from 16
bytes 141 (793), written as text 41 (543), hashed 30 (82).
"""

from collections.abc import Callable
from uuid import UUID

from asyncpg.pgproto import pgproto

from taskwire_shared.domain.ids import new_id

identifier: Callable[[str | bytes], UUID] = pgproto.UUID
"""Reads an id from its text or its 16 bytes. Raises ValueError where it is neither."""


def fresh_identifier() -> UUID:
    """Make a fresh UUIDv7 of that class."""
    return identifier(new_id().bytes)

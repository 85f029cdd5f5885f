"""Valid messages, made wrong: in a field, or in their bytes."""

import random
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from taskwire_chaos.abuse import hostile

F = FieldDescriptor
CHANGES_MAX = 3
DEPTH_MAX = 4
NESTED = (1, 10, 99, 100, 101, 1_000, 20_000)
"""Groups within each other. Protobuf gives up at 100."""
_GROUP_START, _GROUP_END = b"\x0b", b"\x0c"

_INTEGERS = {
    F.CPPTYPE_INT32: (32, True),
    F.CPPTYPE_INT64: (64, True),
    F.CPPTYPE_UINT32: (32, False),
    F.CPPTYPE_UINT64: (64, False),
    F.CPPTYPE_ENUM: (32, True),
}


def change_fields(rng: random.Random, message: Message) -> None:
    """Put hostile values into fields, of the message or of what is within it."""
    for _ in range(rng.randint(1, CHANGES_MAX)):
        _change_field(rng, message, DEPTH_MAX)


def _change_field(rng: random.Random, message: Message, depth: int) -> None:
    field: Any = rng.choice(message.DESCRIPTOR.fields)
    within = field.message_type
    if within is not None and within.GetOptions().map_entry:
        _change_map(rng, getattr(message, field.name), within.fields_by_name["value"])
    elif field.is_repeated:
        values = getattr(message, field.name)
        for _ in range(rng.choice([1, 1, 2, 16, 17, 40])):
            if within is None:
                values.append(_scalar(rng, field))
            else:
                _change_field(rng, values.add(), depth - 1)
    elif within is None:
        setattr(message, field.name, _scalar(rng, field))
    elif within.full_name in {"google.protobuf.Timestamp", "google.protobuf.Duration"}:
        moment = getattr(message, field.name)
        moment.seconds, moment.nanos = rng.choice(hostile.SECONDS), rng.choice(hostile.NANOS)
    elif depth:
        part = getattr(message, field.name)
        part.SetInParent()
        _change_field(rng, part, depth - 1)


def _change_map(rng: random.Random, entries: Any, value: Any) -> None:
    for _ in range(rng.choice([1, 1, 4, 5, 16, 17, 500])):
        if value.message_type is None:
            entries[hostile.string(rng)] = _scalar(rng, value)


def _scalar(rng: random.Random, field: Any) -> Any:
    kind = field.cpp_type
    if kind in _INTEGERS:
        bits, signed = _INTEGERS[kind]
        return hostile.integer(rng, bits, signed=signed)
    if kind == F.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if kind in {F.CPPTYPE_DOUBLE, F.CPPTYPE_FLOAT}:
        return rng.choice([0.0, -1.0, 2.0, float("nan"), float("inf"), -0.0])
    text = hostile.string(rng)
    return text.encode() if field.type == F.TYPE_BYTES else text


def change_bytes(rng: random.Random, data: bytes) -> bytes:
    """Spoil an encoded message."""
    for _ in range(rng.randint(1, CHANGES_MAX)):
        data = rng.choice(_SPOILERS)(rng, data)
    return data


def _flip(rng: random.Random, data: bytes) -> bytes:
    spoilt = bytearray(data or b"\x00")
    spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def _insert(rng: random.Random, data: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.randbytes(rng.randint(1, 8)) + data[at:]


def _repeat(rng: random.Random, data: bytes) -> bytes:
    """Say everything twice, or more often: the last of a field counts, and messages are merged."""
    return data * rng.choice([2, 3, 20])


def _break_text(rng: random.Random, data: bytes) -> bytes:
    """Add a field of text that is no UTF-8."""
    broken = rng.choice(hostile.BROKEN_UTF8)
    return data + field_bytes(rng.randint(1, 9), broken)


def _wrap(rng: random.Random, data: bytes) -> bytes:
    """Put the message into a field of itself."""
    return field_bytes(rng.randint(1, 4), data)


def _nest(rng: random.Random, data: bytes) -> bytes:
    """Add groups within groups, of a field that is unknown."""
    depth = rng.choice(NESTED)
    return data + _GROUP_START * depth + _GROUP_END * (depth if rng.random() < 0.8 else depth - 1)


def _nest_messages(rng: random.Random, data: bytes) -> bytes:
    inner = data
    for _ in range(rng.choice([5, 50, 150])):
        inner = field_bytes(1, inner)
    return inner


def _lie(rng: random.Random, data: bytes) -> bytes:
    """Announce more than follows."""
    return data + bytes([rng.randint(1, 9) << 3 | 2]) + varint(rng.choice([1, 100, 2**31, 2**32, 2**63])) + b"x"


_SPOILERS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    *(_flip, _flip, _flip, _cut, _insert, _repeat, _break_text, _break_text, _wrap, _nest, _nest_messages, _lie),
)


def field_bytes(number: int, data: bytes) -> bytes:
    """Encode a field of text, of bytes or of a message."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    """Encode a number as protobuf does."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded + bytes([value]))

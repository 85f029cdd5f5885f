"""The data that goes into a task and comes out of it."""

import math
from typing import Any, Self

import msgspec

from taskwire.failure import TaskFailure

JSON = "application/json"
"""The content type of what was made from a Python value."""

BYTES_MAX = 256 * 1024
"""Of one payload, in bytes. The service takes no more."""
_CONTENT_TYPE_CHARS_MAX = 255
_JSON_NULL = b"null"

RESULT_INVALID = "RESULT_INVALID"
"""The reason of the failure when a handler returns what cannot be stored."""


class Payload(msgspec.Struct, frozen=True, gc=False):
    """Opaque data: bytes, or text that tools can show."""

    data: bytes = b""
    """UTF-8 when `is_text`, any bytes otherwise."""
    is_text: bool = False
    content_type: str = ""

    @classmethod
    def of(cls, value: Any) -> Self | None:
        """Make a payload of `value`: None of None, text of str, binary of bytes, JSON text of anything else.

        Raises ValueError or TypeError for what cannot be written down: lone surrogates, NaN and infinities in JSON,
        objects that msgspec does not know.
        """
        if value is None:
            return None
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return cls(str.encode(value), is_text=True)
        if isinstance(value, bytes | bytearray | memoryview):
            return cls(bytes(value))
        return cls(_json(value), is_text=True, content_type=JSON)

    @property
    def text(self) -> str:
        """The data as text. Raises UnicodeDecodeError when it is not UTF-8."""
        return self.data.decode()

    def json(self) -> Any:
        """Read the data as JSON. Raises `msgspec.DecodeError` when it is none."""
        return msgspec.json.decode(self.data)


def result_payload(value: Any) -> Payload | None:
    """Make the output of a task of what its handler returned.

    Raises a `TaskFailure` that is not retried, `RESULT_INVALID`, when it cannot be stored.
    """
    try:
        payload = _exact(value) if isinstance(value, Payload) else Payload.of(value)
        if payload is not None:
            _check_size(payload)
            # What a str was encoded to is text. Of anything else somebody else may have written some of the bytes.
            if not isinstance(value, str):
                _check_text(payload)
    except (TypeError, ValueError, RecursionError) as error:
        raise TaskFailure(RESULT_INVALID, f"the result cannot be stored: {error}", retryable=False) from error
    return payload


def _exact(given: Any) -> Payload:
    """Return the same of no subclasses, which MessagePack does not know. Nothing has looked at the fields before."""
    data, is_text, content_type = given.data, given.is_text, given.content_type
    fits = isinstance(data, bytes | bytearray) and isinstance(is_text, bool) and isinstance(content_type, str)
    if not fits:
        raise TypeError("of a payload `data` is bytes, `is_text` a bool and `content_type` a str")
    return Payload(bytes(data), is_text, str.__str__(content_type))


def _check_size(payload: Payload) -> None:
    if len(payload.data) > BYTES_MAX:
        raise ValueError(f"{len(payload.data)} bytes are more than {BYTES_MAX}")


def _check_text(payload: Payload) -> None:
    if payload.is_text:
        payload.data.decode()
    payload.content_type.encode()
    if payload.content_type and (len(payload.content_type) > _CONTENT_TYPE_CHARS_MAX or "\0" in payload.content_type):
        raise ValueError(f"the content type must be at most {_CONTENT_TYPE_CHARS_MAX} characters, none of them NUL")


def _json(value: Any) -> bytes:
    encoded = msgspec.json.encode(value)
    # msgspec writes NaN and the infinities as null, silently. They are looked for only where there is a null.
    if _JSON_NULL in encoded and not _is_finite(msgspec.to_builtins(value, enc_hook=_opaque)):
        raise ValueError("JSON has no NaN and no infinities")
    return encoded


def _opaque(_: object) -> None:
    """Stand for what `to_builtins` does not know though it can be encoded: `msgspec.Raw`."""


def _is_finite(value: Any) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case dict():
            return all(map(_is_finite, value.values()))
        case list() | tuple() | set() | frozenset():
            return all(map(_is_finite, value))
        case _:
            return True

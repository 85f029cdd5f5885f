"""What can be stored becomes a payload, and nothing else does."""

import re
from dataclasses import dataclass
from enum import StrEnum

import msgspec
import pytest

from taskwire import Payload, TaskFailure
from taskwire.payload import BYTES_MAX, JSON, result_payload
from taskwire_shared.domain import limits


class Text(str):
    """A str with an opinion of its own on what it is encoded to."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"\xff"


class Data(bytes):
    """Bytes of another class."""


class Kind(StrEnum):
    PLAIN = "text/plain"


@dataclass
class Point:
    x: int
    y: float | None = None


@pytest.mark.parametrize(
    ("value", "payload"),
    [
        (None, None),
        ("ü", Payload("ü".encode(), is_text=True)),
        ("", Payload(b"", is_text=True)),
        (b"\xff\0", Payload(b"\xff\0")),
        (bytearray(b"x"), Payload(b"x")),
        (0, Payload(b"0", is_text=True, content_type=JSON)),
        ({"a": [1, None]}, Payload(b'{"a":[1,null]}', is_text=True, content_type=JSON)),
        (Point(1), Payload(b'{"x":1,"y":null}', is_text=True, content_type=JSON)),
        ({"a": msgspec.Raw(b"null")}, Payload(b'{"a":null}', is_text=True, content_type=JSON)),
        (
            Payload(b"<a/>", is_text=True, content_type="text/xml"),
            Payload(b"<a/>", is_text=True, content_type="text/xml"),
        ),
    ],
)
def test_value_becomes_payload(value, payload) -> None:
    assert Payload.of(value) == payload
    assert result_payload(value) == payload


def test_result_is_made_of_no_subclasses() -> None:
    """MessagePack does not know them, and what is sent to control together would be lost together."""
    given = [
        Text("ü"),
        Data(b"x"),
        Payload(Data(b"x"), content_type=Text("a/b")),
        Payload(bytearray(b"x"), True, Kind.PLAIN),
    ]

    made = [result_payload(value) for value in given]

    assert made == [
        Payload("ü".encode(), is_text=True),
        Payload(b"x"),
        Payload(b"x", content_type="a/b"),
        Payload(b"x", is_text=True, content_type="text/plain"),
    ]
    assert {(type(one.data), type(one.content_type)) for one in made if one} == {(bytes, str)}


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        {"deep": [{"inside": float("inf")}]},
        Point(1, float("-inf")),
        "\ud800",
        {"a": "\udfff"},
        object(),
        "x" * (BYTES_MAX + 1),
        b"x" * (BYTES_MAX + 1),
        Payload(b"\xff", is_text=True),
        {"a": msgspec.Raw(b"\xff")},
        Payload("text"),
        Payload(None),
        Payload(b"", is_text=1),
        Payload(b"", content_type=None),
        Payload(b"", content_type="x" * 256),
        Payload(b"", content_type="a\0b"),
        Payload(b"", content_type="\ud800"),
    ],
    # Without addresses: names of tests are the same in every process.
    ids=lambda value: re.sub(" at 0x.*", "", repr(value))[:30],
)
def test_result_that_cannot_be_stored_fails_for_good(value) -> None:
    with pytest.raises(TaskFailure) as caught:
        result_payload(value)

    assert caught.value.reason == "RESULT_INVALID"
    assert not caught.value.retryable


def test_circular_result_fails_for_good() -> None:
    circle: list[object] = []
    circle.append(circle)

    with pytest.raises(TaskFailure, match="RESULT_INVALID"):
        result_payload(circle)


def test_largest_result_is_taken() -> None:
    assert result_payload("x" * BYTES_MAX) is not None


def test_payload_is_read_as_text_and_as_json() -> None:
    assert Payload(b'{"a":1}').json() == {"a": 1}
    assert Payload("ü".encode()).text == "ü"
    with pytest.raises(msgspec.DecodeError):
        Payload(b"{").json()
    with pytest.raises(UnicodeDecodeError):
        _ = Payload(b"\xff").text


def test_limits_are_those_of_the_service() -> None:
    assert BYTES_MAX == limits.PAYLOAD_BYTES_MAX

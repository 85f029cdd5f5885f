"""What can be done to a connection that no client library would do."""

import random
from collections.abc import Callable, Iterator

from taskwire_chaos.abuse import frames as h2
from taskwire_chaos.abuse.methods import BY_NAME, METHODS

STREAMS = 100
"""In one attack."""
FLOOD_FRAMES = 2_000

Attack = Callable[[random.Random], Iterator[bytes]]
"""Yields what is sent, piece by piece. An empty piece is a pause, in which the answer is read."""

_CREATE = BY_NAME["CreateTask"].path
_GET = BY_NAME["GetTask"].path
_WATCH = BY_NAME["WatchTasks"].path


def _path(rng: random.Random) -> str:
    return rng.choice(METHODS).path


def _wrong_preface(rng: random.Random) -> Iterator[bytes]:
    yield rng.choice(
        [
            b"",
            rng.randbytes(200),
            b"GET / HTTP/1.1\r\nHost: abuse\r\n\r\n",
            b"POST /taskwire.v1.TaskService/CreateTask HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(100),
            h2.PREFACE[: rng.randrange(24)],
            h2.PREFACE.replace(b"2.0", b"1.1"),
            h2.PREFACE + rng.randbytes(100),
            b"\x00" * 5_000,
        ]
    )


def _half_open(rng: random.Random) -> Iterator[bytes]:
    """Begin something, and leave it at that."""
    yield rng.choice(
        [
            b"",
            h2.PREFACE,
            h2.opening(),
            h2.opening() + h2.call_headers(1, _path(rng)),
            h2.opening() + h2.call_headers(1, _path(rng), flags=0),
            h2.opening() + h2.call_headers(1, _CREATE) + h2.frame(h2.DATA, 0, 1, b"\x00\x00\x00\x10\x00part"),
        ]
    )
    for _ in range(3):
        yield b""


def _rapid_resets(rng: random.Random) -> Iterator[bytes]:
    """Make calls and take each back at once (CVE-2023-44487)."""
    yield h2.opening()
    path, data = _path(rng), rng.randbytes(rng.choice([0, 20, 2_000]))
    for stream in range(1, 2 * STREAMS, 2):
        begin = h2.call(stream, path, data) if rng.random() < 0.5 else h2.call_headers(stream, path)
        yield begin + h2.frame(h2.RST_STREAM, 0, stream, h2.CANCEL.to_bytes(4, "big"))


def _big_frames(rng: random.Random) -> Iterator[bytes]:
    kind = rng.choice([h2.DATA, h2.HEADERS, h2.SETTINGS, h2.PING, h2.WINDOW_UPDATE, 0xFF])
    size = rng.choice([h2.FRAME_BYTES_MAX, h2.FRAME_BYTES_MAX + 1, 2**24 - 1])
    yield h2.opening() + h2.call_headers(1, _GET)
    yield h2.frame(kind, rng.randrange(256), 1, bytes(min(size, 20_000)), length=size)


def _header_flood(rng: random.Random) -> Iterator[bytes]:
    """Send headers without an end (CVE-2024-27316), or more of them than anybody reads."""
    yield h2.opening() + h2.call_headers(1, _GET, flags=0)
    for number in range(rng.choice([10, 100])):
        more = b"".join(h2.header(f"x-{number}-{part}", "y" * 100) for part in range(100))
        yield h2.frame(h2.CONTINUATION, 0, 1, more)
    if rng.random() < 0.5:
        yield h2.frame(h2.CONTINUATION, h2.END_HEADERS, 1)


def _wrong_compression(rng: random.Random) -> Iterator[bytes]:
    block = rng.choice(
        [
            rng.randbytes(50),
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"\x3f\xe1\xff\xff\xff\x0f" + h2.request_headers(_GET),
            b"\x80",
            b"\x00\x85\xff\xff\xff\xff\xff\x81\x00",
            b"\xc0" * 500,
            h2.header("", "") * 100,
            h2.request_headers(_GET) * 20,
        ]
    )
    yield h2.opening() + h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, 1, block)


def _flood(rng: random.Random) -> Iterator[bytes]:
    """Send what costs the peer an answer, or at least a look, very often."""
    one = rng.choice(
        [
            h2.settings((h2.INITIAL_WINDOW_SIZE, 65_535)),
            h2.frame(h2.SETTINGS, h2.ACK),
            h2.frame(h2.PING, 0, 0, bytes(8)),
            h2.frame(h2.PRIORITY, 0, 3, bytes(5)),
            h2.frame(h2.WINDOW_UPDATE, 0, 0, b"\x00\x00\x00\x01"),
            h2.frame(h2.DATA, 0, 1),
            h2.frame(0xEE, 0xFF, 5, bytes(10)),
            h2.frame(h2.RST_STREAM, 0, 1, bytes(4)),
        ]
    )
    yield h2.opening() + h2.call_headers(1, _CREATE)
    for _ in range(10):
        yield one * (FLOOD_FRAMES // 10)


def _wrong_settings(rng: random.Random) -> Iterator[bytes]:
    yield h2.PREFACE + rng.choice(
        [
            h2.settings((h2.INITIAL_WINDOW_SIZE, 2**32 - 1)),
            h2.settings((h2.MAX_FRAME_SIZE, 1)),
            h2.settings((h2.HEADER_TABLE_SIZE, 2**32 - 1)),
            h2.settings(*[(rng.randrange(2**16), rng.randrange(2**32)) for _ in range(100)]),
            h2.frame(h2.SETTINGS, 0, 0, bytes(5)),
            h2.frame(h2.SETTINGS, h2.ACK, 0, bytes(6)),
            h2.frame(h2.WINDOW_UPDATE, 0, 0, bytes(4)),
            h2.frame(h2.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 3,
            h2.frame(h2.PING, 0, 0, bytes(7)),
            h2.frame(h2.GOAWAY, 0, 0, rng.randbytes(50)),
            h2.frame(h2.PUSH, h2.END_HEADERS, 1, bytes(20)),
        ]
    )
    yield h2.call(1, _GET, b"")


def _wrong_streams(rng: random.Random) -> Iterator[bytes]:
    yield h2.opening() + h2.call(5, _GET, b"")
    yield rng.choice(
        [
            h2.call(2, _GET, b""),
            h2.call(3, _GET, b""),
            h2.call(5, _GET, b""),
            h2.call(0, _GET, b""),
            h2.call(2**31 - 1, _GET, b"") + h2.call(1, _GET, b""),
            h2.frame(h2.DATA, 0, 99, b"x" * 100),
            h2.frame(h2.DATA, 0, 0, b"x" * 100),
            h2.frame(h2.CONTINUATION, h2.END_HEADERS, 7, h2.request_headers(_GET)),
            h2.call_headers(7, _GET, flags=0) + h2.frame(h2.PING, 0, 0, bytes(8)),
            h2.frame(h2.RST_STREAM, 0, 77, bytes(4)),
        ]
    )


def _wrong_message(rng: random.Random) -> Iterator[bytes]:
    """Frame messages as gRPC does not."""
    body = rng.choice(
        [
            h2.message(b"x" * 10, length=2**32 - 1),
            h2.message(b"x" * 10, length=11),
            h2.message(b"x" * 10, length=9),
            h2.message(b"x" * 10, compressed=1),
            h2.message(b"x" * 10, compressed=0xFF),
            h2.message(b"") * 3,
            h2.message(b"") + b"\x00",
            b"",
            b"\x00\x00",
            rng.randbytes(30),
        ]
    )
    more = rng.choice([(), (h2.header("grpc-encoding", "gzip"),), (h2.header("grpc-encoding", "none-such"),)])
    yield h2.opening() + h2.call_headers(1, _path(rng), *more) + h2.frame(h2.DATA, h2.END_STREAM, 1, body)
    yield b""


def _wrong_headers(rng: random.Random) -> Iterator[bytes]:
    """Begin calls that are none."""
    path = _path(rng)
    blocks = (
        h2.request_headers(path, content_type="application/json"),
        h2.request_headers(path, method="GET"),
        h2.request_headers(""),
        h2.request_headers("/"),
        h2.request_headers("/" * 8_000),
        h2.request_headers("/taskwire.v1.TaskService/NoSuchMethod"),
        h2.request_headers("/no.such.Service/Get\x00Task"),
        h2.request_headers(path, h2.header("grpc-timeout", rng.choice(["abc", "-1S", "99999999999H", "0n", "1"]))),
        h2.request_headers(path, h2.header("Upper-Case", "1"), h2.header("a b", "2")),
        h2.request_headers(path, h2.header("x", b"\x00\r\n\xff")),
        h2.request_headers(path, h2.header(":path", "/twice"), h2.header(":status", "200")),
        h2.request_headers(path, h2.header("connection", "close"), h2.header("content-length", "-5")),
        h2.request_headers(path, h2.header("x-bin", "not base64 !!")),
        h2.header("te", "trailers"),
    )
    block = rng.choice(blocks)
    yield h2.opening() + h2.frame(h2.HEADERS, h2.END_HEADERS, 1, block)
    yield h2.frame(h2.DATA, h2.END_STREAM, 1, h2.message(b""))


def _slow_reader(rng: random.Random) -> Iterator[bytes]:
    """Watch everything and take nothing, or one byte at a time."""
    yield h2.opening((h2.INITIAL_WINDOW_SIZE, rng.choice([0, 1, 100])))
    for stream in range(1, 2 * rng.choice([1, 20]), 2):
        yield h2.call(stream, _WATCH, b"")
    for _ in range(4):
        yield b""
        yield h2.frame(h2.WINDOW_UPDATE, 0, 1, b"\x00\x00\x00\x01")


def _slow_writer(rng: random.Random) -> Iterator[bytes]:
    """Send a call a few bytes at a time."""
    whole = h2.opening() + h2.call(1, _path(rng), rng.randbytes(40))
    step = rng.randint(5, 40)
    for start in range(0, len(whole) - rng.choice([0, 1, 30]), step):
        yield whole[start : start + step]
        if start % 7 == 0:
            yield b""


def _many_calls(rng: random.Random) -> Iterator[bytes]:
    """Make many calls at once on one connection, and leave without the answers."""
    yield h2.opening()
    yield b"".join(h2.call(stream, rng.choice([_GET, _CREATE, _WATCH]), b"") for stream in range(1, 2 * STREAMS, 2))


ATTACKS: dict[str, Attack] = {
    "wrong preface": _wrong_preface,
    "half open": _half_open,
    "rapid resets": _rapid_resets,
    "big frames": _big_frames,
    "header flood": _header_flood,
    "wrong compression": _wrong_compression,
    "frame flood": _flood,
    "wrong settings": _wrong_settings,
    "wrong streams": _wrong_streams,
    "wrong message": _wrong_message,
    "wrong headers": _wrong_headers,
    "slow reader": _slow_reader,
    "slow writer": _slow_writer,
    "many calls": _many_calls,
}

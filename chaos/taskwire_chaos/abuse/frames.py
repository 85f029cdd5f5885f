"""Frames of HTTP/2 and headers of gRPC, made by hand, so that they can be wrong."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, HEADER_TABLE_SIZE = 0x4, 0x5, 0x1
CANCEL = 0x8
FRAME_BYTES_MAX = 16_384
"""What a peer takes unless it says otherwise."""


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"", *, length: int | None = None) -> bytes:
    """Make a frame; with a `length` that may be a lie."""
    size = len(payload) if length is None else length
    return size.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def settings(*pairs: tuple[int, int]) -> bytes:
    """Make a frame of settings."""
    return frame(SETTINGS, payload=b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in pairs))


def opening(*pairs: tuple[int, int]) -> bytes:
    """Make what a connection begins with."""
    return PREFACE + settings(*pairs) + frame(SETTINGS, ACK)


def header(name: str | bytes, value: str | bytes) -> bytes:
    """Write a header as a literal that is never indexed and not compressed (RFC 7541, 6.2.3)."""
    return b"\x10" + _text(name) + _text(value)


def request_headers(path: str, *more: bytes, content_type: str = "application/grpc", method: str = "POST") -> bytes:
    """Write the headers of a call."""
    usual = (
        *((":method", method), (":scheme", "http"), (":path", path), (":authority", "abuse")),
        *(("te", "trailers"), ("content-type", content_type)),
    )
    return b"".join(header(name, value) for name, value in usual) + b"".join(more)


def call_headers(stream: int, path: str, *more: bytes, flags: int = END_HEADERS) -> bytes:
    """Make the frame that a call begins with."""
    return frame(HEADERS, flags, stream, request_headers(path, *more))


def message(data: bytes, *, compressed: int = 0, length: int | None = None) -> bytes:
    """Frame a message as gRPC does; with a `length` that may be a lie."""
    return bytes([compressed]) + (len(data) if length is None else length).to_bytes(4, "big") + data


def call(stream: int, path: str, data: bytes) -> bytes:
    """Make the frames of a whole unary call."""
    return call_headers(stream, path) + frame(DATA, END_STREAM, stream, message(data))


def _text(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    size, prefix = len(raw), 0x7F
    if size < prefix:
        return bytes([size]) + raw
    encoded = bytearray([prefix])
    size -= prefix
    while size >= 0x80:
        encoded.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes(encoded) + bytes([size]) + raw

"""What control and a runner say to each other, and how it is written.

Each side writes frames: four bytes of length, then a list of messages in MessagePack. A frame carries whatever gathered
during one turn of the loop, so that hand-over costs microseconds a task. An attempt is named by a number that control
chose.
"""

from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from taskwire_shared.domain.task import Seconds

_LENGTH_BYTES = 4
FRAME_BYTES_MAX = 256 * 1024 * 1024
"""A longer frame is not ours: a handler wrote to our descriptor. `FRAME_MESSAGES_MAX` payloads of 256 KiB fit in."""
FRAME_MESSAGES_MAX = 500
"""Messages in one frame. The reader decodes a frame in one go, and this keeps that below some milliseconds."""


class Setup(Struct, frozen=True, tag=1, tag_field="kind", array_like=True):
    """Load the handlers. The first thing a runner hears."""

    modules: tuple[str, ...]
    threads: int
    log_level: str
    log_file: str


class Start(Struct, frozen=True, tag=2, tag_field="kind", array_like=True, gc=False):
    """Run this attempt."""

    key: int
    task_id: str
    attempt: int
    attempt_count: int
    queue: str
    type: str
    created_at: Seconds
    started_at: Seconds
    input: bytes | None
    is_text: bool
    content_type: str


class Stop(Struct, frozen=True, tag=3, tag_field="kind", array_like=True, gc=False):
    """Tell the handler to stop."""

    key: int


ToRunner = Setup | Start | Stop


class Offer(Struct, frozen=True, array_like=True):
    """A handler that was loaded."""

    type: str
    alone: bool
    """Whether each attempt wants a process to itself."""


class Loaded(Struct, frozen=True, tag=1, tag_field="kind", array_like=True):
    """The handlers are loaded. The first thing a runner says."""

    offers: tuple[Offer, ...]


class Unloadable(Struct, frozen=True, tag=2, tag_field="kind", array_like=True):
    """The handlers cannot be loaded. The last thing a runner says."""

    message: str


class Returned(Struct, frozen=True, tag=3, tag_field="kind", array_like=True, gc=False):
    """The handler returned."""

    key: int
    output: bytes | None
    is_text: bool
    content_type: str


class Raised(Struct, frozen=True, tag=4, tag_field="kind", array_like=True):
    """The handler raised, or what it returned cannot be stored."""

    key: int
    reason: str
    message: str
    metadata: dict[str, str]
    retryable: bool
    retry_after: float | None
    """Seconds, where the handler chose the pause itself."""


class Unwound(Struct, frozen=True, tag=5, tag_field="kind", array_like=True, gc=False):
    """The handler stopped because it was told to."""

    key: int
    has_begun: bool = True
    """False where it still waited for a thread."""


class Reported(Struct, frozen=True, tag=6, tag_field="kind", array_like=True, gc=False):
    """How far the handler says it has come: the newest report only."""

    key: int
    fraction: float
    message: str


Ended = Returned | Raised | Unwound
FromRunner = Loaded | Unloadable | Returned | Raised | Unwound | Reported

M = TypeVar("M")

_ENCODER = msgspec.msgpack.Encoder()


class BrokenFrame(Exception):
    """What was read is not a frame of ours."""


def encode(messages: list[M]) -> bytes:
    """Write messages as frames."""
    if len(messages) <= FRAME_MESSAGES_MAX:
        return _frame(messages)
    parts = range(0, len(messages), FRAME_MESSAGES_MAX)
    return b"".join(_frame(messages[start : start + FRAME_MESSAGES_MAX]) for start in parts)


def _frame(messages: list[M]) -> bytes:
    buffer = bytearray(_LENGTH_BYTES)
    _ENCODER.encode_into(messages, buffer, _LENGTH_BYTES)
    buffer[:_LENGTH_BYTES] = (len(buffer) - _LENGTH_BYTES).to_bytes(_LENGTH_BYTES, "big")
    return bytes(buffer)


class FrameReader(Generic[M]):
    """Puts frames together from the pieces in which they arrive."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[list[M]]) -> None:
        self._decoder = decoder
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[M]:
        """Take in a piece and return the messages that are complete now. Raises BrokenFrame."""
        self._rest += data
        messages: list[M] = []
        start = 0
        while (end := self._frame_end(start)) is not None:
            messages += self._decode(start + _LENGTH_BYTES, end)
            start = end
        del self._rest[:start]
        return messages

    def _frame_end(self, start: int) -> int | None:
        if len(self._rest) - start < _LENGTH_BYTES:
            return None
        length = int.from_bytes(self._rest[start : start + _LENGTH_BYTES], "big")
        if length > FRAME_BYTES_MAX:
            raise BrokenFrame(f"a frame of {length} bytes")
        end = start + _LENGTH_BYTES + length
        return end if end <= len(self._rest) else None

    def _decode(self, start: int, end: int) -> list[M]:
        with memoryview(self._rest) as whole, whole[start:end] as frame:
            try:
                return self._decoder.decode(frame)
            except msgspec.MsgspecError as error:
                raise BrokenFrame(str(error)) from error


def reader_in_runner() -> FrameReader[ToRunner]:
    """Return a reader for what control says."""
    return FrameReader(msgspec.msgpack.Decoder(list[ToRunner]))


def reader_in_control() -> FrameReader[FromRunner]:
    """Return a reader for what a runner says."""
    return FrameReader(msgspec.msgpack.Decoder(list[FromRunner]))

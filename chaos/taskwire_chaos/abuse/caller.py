"""Makes calls of raw bytes and says how they ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import grpc

from taskwire_chaos.abuse.inputs import Call
from taskwire_chaos.abuse.methods import METHODS, Method

HANG_SECONDS = 60.0
"""A call without an answer after so long hangs. The machine may be busy."""
HASTY_SECONDS = 0.005
STREAM_SECONDS = 0.5
"""How long a stream is read that has nothing to say."""
STREAM_MESSAGES = 5
HANG = "HANG"
LEFT = "LEFT"
"""A stream that its reader has left."""
REFUSED_EARLY = "REFUSED_EARLY"
_OF_THE_CLIENT = "Internal error from Core"
"""What the library on our side says of a call that has ended before its stream of requests was sent. It does not say
how: by its deadline, or by a refusal of its metadata."""

_OPTIONS = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))


class Caller:
    """Some connections to one gateway."""

    def __init__(self, channels: list[grpc.aio.Channel]) -> None:
        self._turn = 0
        self._calls = [{method: _bind(channel, method) for method in METHODS} for channel in channels]

    @classmethod
    @asynccontextmanager
    async def open(cls, address: str, connections: int) -> AsyncIterator[Self]:
        """Connect, and disconnect at the end."""
        # Without an argument of its own each, they would share a connection.
        channels = [
            grpc.aio.insecure_channel(address, options=(*_OPTIONS, ("abuse.number", number)))
            for number in range(connections)
        ]
        try:
            yield cls(channels)
        finally:
            await asyncio.gather(*(channel.close(None) for channel in channels))

    async def make(self, call: Call) -> tuple[str, bytes]:
        """Make a call, and return its code with the answer, or with the first of them."""
        self._turn += 1
        ask = self._calls[self._turn % len(self._calls)][call.method]
        seconds = HASTY_SECONDS if call.hasty else HANG_SECONDS
        try:
            if call.method.streams:
                return await _read(ask, call, seconds)
            return "OK", await ask(call.data, timeout=seconds, metadata=call.metadata)
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            if code == "DEADLINE_EXCEEDED" and not call.hasty:
                return HANG, b""
            if call.method.duplex and error.details() == _OF_THE_CLIENT:
                return REFUSED_EARLY, b""
            # What the library says itself may be needed to understand it.
            return code, (error.details() or "").encode()


async def _read(ask: Any, call: Call, seconds: float) -> tuple[str, bytes]:
    """Read some of a stream, then leave."""
    given = _once(call.data) if call.method.duplex else call.data
    stream = ask(given, timeout=seconds, metadata=call.metadata)
    first = b""
    try:
        async with asyncio.timeout(STREAM_SECONDS):
            for _ in range(STREAM_MESSAGES):
                message = await stream.read()
                if not isinstance(message, bytes):
                    return "OK", first
                first = first or message
    except TimeoutError:
        pass
    finally:
        stream.cancel()
    return LEFT, first


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _bind(channel: Any, method: Method) -> Any:
    if method.duplex:
        return channel.stream_stream(method.path)
    return channel.unary_stream(method.path) if method.streams else channel.unary_unary(method.path)

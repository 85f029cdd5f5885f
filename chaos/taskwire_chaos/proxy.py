"""A TCP proxy on one link, which can do to it what networks do."""

import asyncio
import socket
import struct
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 64 * 1024
_CONNECT_SECONDS = 5.0
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with a time of 0: closing sends RST and forgets what was not sent."""


class Way(Enum):
    """A direction of a link."""

    THERE = "there"
    """From who connects to who listens."""
    BACK = "back"


class Proxy:
    """Listens on a free port of loopback and passes everything on to `target`, until told to do otherwise."""

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name = name
        self.target = (host, port)
        self.delay_seconds = 0.0
        """Of every chunk, each way."""
        self._open = {way: asyncio.Event() for way in Way}
        self._swallows = False
        self._connections: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.heal()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        if connections:
            await asyncio.wait(connections)

    @property
    def count(self) -> int:
        """Return how many connections it passes on."""
        return len(self._connections)

    @property
    def port(self) -> int:
        """Return where it listens."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def address(self) -> str:
        """Return where it listens, as HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def reset(self) -> None:
        """Break every connection with RST."""
        for writer in list(self._writers):
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    def stall(self, way: Way) -> None:
        """Hold back everything that goes one way; it arrives after `heal`."""
        self._open[way].clear()

    def black_hole(self) -> None:
        """Swallow everything and say nothing, new connections included, until `heal`, which breaks them."""
        self._swallows = True
        for way in Way:
            self.stall(way)

    def heal(self) -> None:
        """Be a plain link again."""
        if self._swallows:
            self._swallows = False
            self.reset()
        self.delay_seconds = 0.0
        for event in self._open.values():
            event.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self._writers.add(writer)
        try:
            await self._serve(reader, writer)
        except OSError:
            pass
        except asyncio.CancelledError:
            # Asked for by `__aexit__`, which waits for the end; asyncio's streams would report it as an error.
            pass
        finally:
            self._connections.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open[Way.THERE].wait()
        async with asyncio.timeout(_CONNECT_SECONDS):
            onward_reader, onward_writer = await asyncio.open_connection(*self.target)
        self._writers.add(onward_writer)
        pipes = (
            asyncio.create_task(self._pipe(reader, onward_writer, Way.THERE)),
            asyncio.create_task(self._pipe(onward_reader, writer, Way.BACK)),
        )
        try:
            await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
            if not self._swallows:
                # What the other side still says is passed on, as long as it does not take for ever.
                await asyncio.wait(pipes, timeout=1.0)
        finally:
            for pipe in pipes:
                pipe.cancel()
            await asyncio.wait(pipes)
            self._writers.discard(onward_writer)
            onward_writer.transport.abort()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                await self._open[way].wait()
                writer.write(chunk)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()

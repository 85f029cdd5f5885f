"""The life of a runner: load the handlers, run what control sends, end with control."""

import asyncio
import os
import socket
from collections.abc import Callable

from taskwire.failure import storable
from taskwire.handlers import HandlersError, Mode, collect
from taskwire_processor.runner import wire
from taskwire_processor.runner.executor import Executor, Handlers
from taskwire_processor.runner.link import Link
from taskwire_shared.telemetry import logs

_MESSAGE_CHARS_MAX = 2000


class Session:
    """A runner on its end of the connection."""

    def __init__(self, connection: socket.socket, *, loaded: Callable[[], None]) -> None:
        """Take the connection to control, and what to do when the handlers are loaded."""
        self._connection = connection
        self._descriptor = connection.fileno()
        self._loaded = loaded
        self._link: Link[wire.ToRunner, wire.FromRunner] = Link(
            wire.reader_in_runner(), receive=self._receive, lost=self._end
        )
        self._ended = asyncio.Event()
        self._executor: Executor | None = None

    async def run(self) -> None:
        """Serve until control closes the connection."""
        await asyncio.get_running_loop().create_unix_connection(lambda: self._link, sock=self._connection)
        await self._ended.wait()
        if self._executor is not None:
            self._executor.close()

    def disown(self) -> None:
        """Let go of control, in a copy of this process that a handler has made by `os.fork`.

        Else the copy would answer for attempts of its original, and hold the connection when that is gone.
        """
        # Not closed: the next file would get the same number.
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, self._descriptor, inheritable=False)
        os.close(nowhere)
        if self._executor is not None:
            self._executor.disown()

    def _receive(self, messages: list[wire.ToRunner]) -> None:
        for message in messages:
            if isinstance(message, wire.Setup):
                self._set_up(message)
            elif self._executor is not None and isinstance(message, wire.Start):
                self._executor.start(message)
            elif self._executor is not None and isinstance(message, wire.Stop):
                self._executor.stop(message)

    def _set_up(self, setup: wire.Setup) -> None:
        try:
            logs.configure(setup.log_level, setup.log_file)
            handlers = collect(setup.modules)
        except BaseException as error:  # noqa: BLE001 - a module may raise anything while it is imported
            self._link.send(wire.Unloadable(_describe(error)))
            self._link.close()
            return
        self._executor = Executor(handlers, threads=setup.threads, send=self._link.send)
        self._loaded()
        self._link.send(wire.Loaded(_offers(handlers)))

    def _end(self) -> None:
        if self._executor is not None and not self._executor.is_idle:
            # Control is gone or wants no more of us: nobody can hear what these handlers would return.
            os._exit(1)
        self._ended.set()


def _offers(handlers: Handlers) -> tuple[wire.Offer, ...]:
    return tuple(wire.Offer(handler.type, handler.mode is Mode.PROCESS) for handler in handlers.values())


def _describe(error: BaseException) -> str:
    text = str(error) if isinstance(error, HandlersError) else f"{type(error).__name__}: {error}"
    return storable(text, _MESSAGE_CHARS_MAX)

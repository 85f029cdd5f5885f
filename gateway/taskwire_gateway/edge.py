"""The edge: bytes to requests, errors to statuses, and what every call has in common.

Requests are decoded here and not in the gRPC library, so that undecodable ones get a proper error.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any, NoReturn, TypeVar
from uuid import uuid4

import grpc
from google.protobuf.message import DecodeError, Message
from msgspec import Struct

from taskwire_gateway.measures import Measures
from taskwire_gateway.rpc_errors import RpcError, internal_error, rpc_error
from taskwire_gateway.server import Handler
from taskwire_gateway.tenancy import CallContext, TenantResolver
from taskwire_gateway.violations import refuse_field
from taskwire_shared.domain.errors import Overloaded, TaskwireError, WatchTooSlow
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

CALLS_MAX = 2_000
"""Unary calls in hand. At 3,500/s the last of them would have waited for half a second."""
CALL_BYTES_MAX = 256 * 1024 * 1024
"""Of their requests."""
WRITE_SECONDS = 30.0
"""How long a watch waits for its reader to take one message. Writing blocks only when megabytes are under way."""
FAREWELL_SECONDS = 5.0
"""How long the end of a stream waits for a reader that takes nothing."""

_log = logs.get(__name__)

M = TypeVar("M", bound=Message)
Send = Callable[[Message | bytes], Awaitable[None]]


class Unary(Struct, frozen=True):
    """A method with one response."""

    request: type[Message]
    act: Callable[[str, Any], Awaitable[Message | bytes]]
    """Takes the tenant and the request, and returns the response, as bytes where it has written it itself."""


class Stream(Struct, frozen=True):
    """A method with many responses."""

    request: type[Message]
    act: Callable[[str, Any, Send], Awaitable[None]]
    """Takes the tenant, the request, and what sends a response, given as bytes where it has been encoded already."""


Methods = Mapping[str, Unary | Stream]


class Edge:
    """Serves methods over gRPC."""

    def __init__(self, tenancy: TenantResolver, measures: Measures) -> None:
        self._tenancy = tenancy
        self._measures = measures
        self._calls = 0
        self._call_bytes = 0
        self._streams = 0
        self._ended: asyncio.Event | None = None

    def handlers(self, service: str, methods: Methods) -> Handler:
        """Return what a gRPC server needs to serve `methods` under the full name `service`."""
        return grpc.method_handlers_generic_handler(
            service,
            {
                name: grpc.unary_unary_rpc_method_handler(self._unary(name, method))
                if isinstance(method, Unary)
                else grpc.unary_stream_rpc_method_handler(self._stream(name, method))
                for name, method in methods.items()
            },
        )

    def _unary(self, name: str, method: Unary) -> Callable[[bytes, CallContext], Awaitable[bytes]]:
        decode, act = method.request.FromString, method.act
        measure = self._measures.call(name)

        async def serve(data: bytes, context: CallContext) -> bytes:
            started, code, request = perf_counter(), "OK", None
            self._calls += 1
            self._call_bytes += len(data)
            try:
                self._refuse_overload()
                tenant = self._tenancy(context)
                request = _decoded(decode, data)
                response = await act(tenant, request)
                return response if isinstance(response, bytes) else response.SerializeToString()
            except asyncio.CancelledError:
                code = "CANCELLED"
                raise
            except Exception as error:  # noqa: BLE001 - The edge is where every error becomes a status.
                failure = _explain(name, error)
                code = failure.code.name
                await _abort(context, failure)
            finally:
                self._calls -= 1
                self._call_bytes -= len(data)
                self._note_end()
                measure(request, code, perf_counter() - started)

        return serve

    def _refuse_overload(self) -> None:
        if self._calls > CALLS_MAX or (self._call_bytes > CALL_BYTES_MAX and self._calls > 1):
            raise Overloaded

    def _stream(self, name: str, method: Stream) -> Callable[[bytes, CallContext], Awaitable[None]]:
        decode, act = method.request.FromString, method.act

        async def serve(data: bytes, context: CallContext) -> None:
            async def send(message: Message | bytes) -> None:
                await _write(context, message if isinstance(message, bytes) else message.SerializeToString())

            self._streams += 1
            try:
                tenant = self._tenancy(context)
                await act(tenant, _decoded(decode, data), send)
            except Exception as error:  # noqa: BLE001 - The edge is where every error becomes a status.
                failure = _explain(name, error)
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await _abort(context, failure)
            finally:
                self._streams -= 1
                self._note_end()

        return serve

    async def finished(self, seconds: float) -> None:
        """Wait until no handler runs, at most so long: the library's `stop` returns before the last ones have ended."""
        self._ended = asyncio.Event()
        if not (self._calls or self._streams):
            return
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            _log.warning(Event.RPC_FAILED, error="handlers outlive the server", calls=self._calls + self._streams)

    def _note_end(self) -> None:
        if self._ended is not None and not (self._calls or self._streams):
            self._ended.set()


def _decoded(decode: Callable[[bytes], M], data: bytes) -> M:
    try:
        return decode(data)
    except DecodeError:
        raise refuse_field("", "must be a valid message of the type of the request") from None


async def _write(context: CallContext, data: bytes) -> None:
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            await context.write(data)
    except TimeoutError:
        raise WatchTooSlow from None
    except grpc.aio.InternalError as error:
        # The caller left while we wrote. The library is about to cancel the handler, and to it this is the same.
        raise asyncio.CancelledError from error


def _explain(method: str, error: Exception) -> RpcError:
    if isinstance(error, TaskwireError):
        if error.__cause__ is not None:
            _log.warning(Event.RPC_FAILED, method=method, error=type(error).__name__, cause=repr(error.__cause__))
        return rpc_error(error)
    log_id = uuid4().hex
    _log.error(Event.RPC_FAILED, method=method, log_id=log_id, exc_info=error)
    return internal_error(log_id)


async def _abort(context: CallContext, failure: RpcError) -> NoReturn:
    await context.abort(failure.code, failure.text, failure.trailers)

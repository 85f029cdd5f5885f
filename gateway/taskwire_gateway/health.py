"""The standard health service: for each service and, under the empty name, for the whole gateway."""

import asyncio
from collections.abc import Iterable

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from taskwire_gateway.server import Handler
from taskwire_gateway.tenancy import CallContext

WHOLE = ""
HEALTH_SERVICE = "grpc.health.v1.Health"
HEALTH_WATCHES_MAX = 1_000
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health:
    """Keeps the states and serves them. Unlike the library's, its watches end when the gateway stops."""

    def __init__(self, services: Iterable[str]) -> None:
        self._serving = dict.fromkeys((WHOLE, HEALTH_SERVICE, *services), False)
        self._changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watches = 0
        self._leaving = False
        self._closed = False

    @property
    def is_serving(self) -> bool:
        """Tell whether the gateway as a whole serves."""
        return self._serving[WHOLE]

    def serve_all(self) -> None:
        """Say that every service serves."""
        self._set(dict.fromkeys(self._serving, not self._leaving))

    def set_whole(self, *, serving: bool) -> None:
        """Say whether the gateway as a whole can do its work."""
        self._set({**self._serving, WHOLE: serving and not self._leaving})

    def leave(self) -> None:
        """Say that nothing serves, from now on and whatever else is said later."""
        self._leaving = True
        self._set(dict.fromkeys(self._serving, False))

    def close(self) -> None:
        """End the watches."""
        self._closed = True
        self._wake()

    def handlers(self) -> Handler:
        """Return what a gRPC server needs to serve this."""
        encode = health_pb2.HealthCheckResponse.SerializeToString
        return grpc.method_handlers_generic_handler(
            HEALTH_SERVICE,
            {
                "Check": grpc.unary_unary_rpc_method_handler(self._check, _decoded, encode),
                "Watch": grpc.unary_stream_rpc_method_handler(self._watch, _decoded, encode),
            },
        )

    def _set(self, serving: dict[str, bool]) -> None:
        if serving != self._serving:
            self._serving = serving
            self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.get_running_loop().create_future()
        changed.set_result(None)

    def _status(self, service: str) -> health_pb2.HealthCheckResponse.ServingStatus:
        serving = self._serving.get(service)
        if serving is None:
            return _UNKNOWN
        return health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING

    async def _check(
        self, request: health_pb2.HealthCheckRequest | None, context: CallContext
    ) -> health_pb2.HealthCheckResponse:
        status = self._status((await _demand(request, context)).service)
        if status == _UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, "There is no such service.")
        return health_pb2.HealthCheckResponse(status=status)

    async def _watch(self, request: health_pb2.HealthCheckRequest | None, context: CallContext) -> None:
        service = (await _demand(request, context)).service
        if self._watches >= HEALTH_WATCHES_MAX:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "There are too many health watches.")
        self._watches += 1
        try:
            await self._follow(service, context)
        finally:
            self._watches -= 1
        await context.abort(grpc.StatusCode.UNAVAILABLE, "The gateway stops.")

    async def _follow(self, service: str, context: CallContext) -> None:
        sent = None
        while True:
            changed, status = self._changed, self._status(service)
            if status != sent:
                await context.write(health_pb2.HealthCheckResponse(status=status))
                sent = status
            if self._closed:
                return
            await asyncio.shield(changed)


def _decoded(data: bytes) -> health_pb2.HealthCheckRequest | None:
    # Where this raises, the library answers UNKNOWN, with the text of the error, and logs a traceback.
    try:
        return health_pb2.HealthCheckRequest.FromString(data)
    except DecodeError:
        return None


async def _demand(request: health_pb2.HealthCheckRequest | None, context: CallContext) -> health_pb2.HealthCheckRequest:
    if request is None:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The request is no valid message of its type.")
    return request

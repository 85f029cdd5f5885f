"""The floor of gRPC: a server with the options of the gateway, on the same loop, whose only call does nothing."""

import asyncio

import grpc

from taskwire_bench.load.orders import EMPTY_METHOD
from taskwire_gateway.server import make_server
from taskwire_shared.lifecycle import run, stop_event_on_signals

_GRACE_SECONDS = 1.0


async def _empty(request: bytes, context: object) -> bytes:
    del context
    return request


async def _main() -> None:
    _, service, method = EMPTY_METHOD.split("/")
    server = make_server([])
    handler = grpc.unary_unary_rpc_method_handler(_empty)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    with stop_event_on_signals() as stop:
        await server.start()
        print(f"127.0.0.1:{port}", flush=True)
        await asyncio.shield(stop.wait())
        await server.stop(_GRACE_SECONDS)


if __name__ == "__main__":
    run(_main())

"""The gRPC server: its options, its port, its end."""

import logging
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from google.protobuf.internal import api_implementation

from taskwire_shared.domain import limits
from taskwire_shared.settings import Settings, split_address

if TYPE_CHECKING:
    # Generic in its stubs only.
    Handler: TypeAlias = grpc.GenericRpcHandler[Any, Any]
else:
    Handler = grpc.GenericRpcHandler

_MINUTE_MS = 60_000
CONNECTION_STREAMS_MAX = 100_000
"""Calls at once on one connection. Those beyond would wait in the client unseen; our own limits refuse instead."""
PENDING_CALLS_MAX = 20_000
"""Calls that have arrived and that our loop has not looked at yet: some seconds of refusals. Beyond it the library ends
calls with CANCELLED, which no client can tell from its own doing; its default is 1,000, less than a burst."""

_OPTIONS: Sequence[tuple[str, int]] = (
    # Without it a second server on the same port starts without an error and gets some of the connections.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", limits.MESSAGE_BYTES_MAX),
    ("grpc.max_concurrent_streams", CONNECTION_STREAMS_MAX),
    ("grpc.server.max_pending_requests", PENDING_CALLS_MAX),
    ("grpc.server.max_pending_requests_hard_limit", PENDING_CALLS_MAX),
    # A watcher that is gone is noticed within 80 s; the library's default is two hours.
    ("grpc.keepalive_time_ms", _MINUTE_MS),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Clients may ping a quiet watch each 20 s without being sent away.
    ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 20_000),
    # Connections spread over new gateways. The grace is longer than any watch, so that watches end by themselves.
    ("grpc.max_connection_age_ms", 30 * _MINUTE_MS),
    ("grpc.max_connection_age_grace_ms", 6 * _MINUTE_MS),
    ("grpc.max_connection_idle_ms", 10 * _MINUTE_MS),
)


# What the library logs with a traceback although nothing has failed: that metadata is no UTF-8, which it then reads as
# Latin-1, and that a caller was gone when the answer was to be sent. A caller could fill the disk with these.
_NO_FAULTS = ("Invalid encoding on", "ExecuteBatchError raised in core by servicer method")


class ListenError(Exception):
    """The gateway cannot listen on its address."""


def make_server(handlers: Sequence[Handler]) -> grpc.aio.Server:
    """Make a server that is not bound yet."""
    if api_implementation.Type() != "upb":
        # The pure Python implementation is some fifty times slower and would look like an overload.
        raise RuntimeError("protobuf must be installed with its C implementation (upb)")
    logging.getLogger("grpc._cython.cygrpc").addFilter(_is_ours)
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers(tuple(handlers))
    return server


def bind(server: grpc.aio.Server, settings: Settings) -> str:
    """Bind `server` as the settings say and return the address with its port. Raises `ListenError`."""
    host, _ = split_address(settings.listen)
    try:
        if settings.tls_cert_file:
            port = server.add_secure_port(settings.listen, _credentials(settings))
        else:
            port = server.add_insecure_port(settings.listen)
    except OSError as error:
        raise ListenError(f"cannot listen on {settings.listen}: {error}") from error
    except RuntimeError as error:
        raise ListenError(_tls_problem(settings) or f"cannot listen on {settings.listen}: {error}") from error
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _credentials(settings: Settings) -> grpc.ServerCredentials:
    key = Path(settings.tls_key_file).read_bytes()
    chain = Path(settings.tls_cert_file).read_bytes()
    return grpc.ssl_server_credentials([(key, chain)])


def _tls_problem(settings: Settings) -> str:
    """Say why the certificate cannot be served, of which the library says only that it cannot bind; empty if it can."""
    if not settings.tls_cert_file:
        return ""
    try:
        # A key with a password cannot be opened; without an answer here Python would ask the terminal.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file, password=lambda: "")
    except (OSError, ValueError) as error:
        files = f"{settings.tls_cert_file} and {settings.tls_key_file}"
        return f"cannot serve TLS with {files}: {error}"
    return ""


def _is_ours(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_NO_FAULTS)

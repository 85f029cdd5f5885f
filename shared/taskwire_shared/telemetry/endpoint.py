"""The HTTP endpoint for Prometheus and for health checks: `/metrics` and `/healthz`, and nothing else.

A server of asyncio's own rather than a framework or a thread: a scrape is one short answer every few seconds, and a
thread would answer "healthy" while the loop stands still.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from taskwire_shared.settings import Problem, SettingsError, split_address

_HEAD_BYTES_MAX = 8 * 1024
_EXCHANGE_SECONDS_MAX = 5.0
_CONNECTIONS_MAX = 32
"""More than any number of Prometheus servers and probes needs; the next one is turned away."""
_PLAIN = "text/plain; charset=utf-8"


class _Answer(NamedTuple):
    status: HTTPStatus
    body: bytes
    content_type: str = _PLAIN


@asynccontextmanager
async def serve_metrics(listen: str, registry: CollectorRegistry, is_healthy: Callable[[], bool]) -> AsyncIterator[str]:
    """Serve on `listen` (`host:port`) until the block ends, and give the address bound. Empty serves nothing.

    Raises `SettingsError` when the address cannot be bound.
    """
    if not listen:
        yield ""
        return
    host, port = split_address(listen)
    # No TaskGroup: it would wrap what the caller's block raises in a group.
    open_now: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(open_now) >= _CONNECTIONS_MAX:
            writer.close()
            return
        task = asyncio.create_task(_exchange(reader, writer, registry, is_healthy))
        open_now.add(task)
        task.add_done_callback(open_now.discard)

    try:
        server = await asyncio.start_server(connected, host, port, limit=_HEAD_BYTES_MAX)
    except OSError as error:
        problem = Problem(variable="TASKWIRE_METRICS_LISTEN", text=f"cannot listen on {listen}: {error}")
        raise SettingsError([problem]) from error
    try:
        yield _address(server)
    finally:
        server.close()
        for task in open_now:
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)


def _address(server: asyncio.Server) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    registry: CollectorRegistry,
    is_healthy: Callable[[], bool],
) -> None:
    """Answer one request and close the connection."""
    try:
        async with asyncio.timeout(_EXCHANGE_SECONDS_MAX):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(_respond(head, registry, is_healthy))
            await writer.drain()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        # Whoever asked has gone away or does not speak HTTP.
        pass
    finally:
        writer.close()


def _respond(head: bytes, registry: CollectorRegistry, is_healthy: Callable[[], bool]) -> bytes:
    method, _, rest = head.decode("latin-1").partition(" ")
    path = rest.split(" ", 1)[0].split("?", 1)[0]
    answer = _answer(method, path, registry, is_healthy)
    headers = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\n"
        f"Content-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\nConnection: close\r\n\r\n"
    )
    return headers.encode("latin-1") + (b"" if method == "HEAD" else answer.body)


def _answer(method: str, path: str, registry: CollectorRegistry, is_healthy: Callable[[], bool]) -> _Answer:
    if method not in {"GET", "HEAD"}:
        return _Answer(HTTPStatus.METHOD_NOT_ALLOWED, b"GET only\n")
    match path:
        case "/metrics":
            return _Answer(HTTPStatus.OK, generate_latest(registry), CONTENT_TYPE_LATEST)
        case "/healthz" if is_healthy():
            return _Answer(HTTPStatus.OK, b"ok\n")
        case "/healthz":
            return _Answer(HTTPStatus.SERVICE_UNAVAILABLE, b"not healthy\n")
        case _:
            return _Answer(HTTPStatus.NOT_FOUND, b"see /metrics and /healthz\n")

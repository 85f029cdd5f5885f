"""The endpoint answers scrapes and probes, and nobody keeps it busy."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry, Counter

from taskwire_shared.settings import SettingsError, split_address
from taskwire_shared.telemetry import endpoint
from taskwire_shared.telemetry.endpoint import serve_metrics


async def _ask(address: str, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*split_address(address))
    async with asyncio.timeout(5):
        writer.write(request)
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def _get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def test_metrics() -> None:
    registry = CollectorRegistry()
    Counter("things", "Help", registry=registry).inc(3)
    async with serve_metrics("127.0.0.1:0", registry, lambda: True) as address:
        head, _, body = (await _ask(address, _get("/metrics?name=x"))).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=")
    assert b"\nthings_total 3.0\n" in body
    assert f"Content-Length: {len(body)}".encode() in head


@pytest.mark.parametrize(
    ("request_line", "healthy", "status"),
    [
        (_get("/healthz"), True, b"200 OK"),
        (_get("/healthz"), False, b"503 Service Unavailable"),
        (_get("/"), True, b"404 Not Found"),
        (_get("/metrics", "POST"), True, b"405 Method Not Allowed"),
        (b"\xff\xfe\r\n\r\n", True, b"405 Method Not Allowed"),
    ],
)
async def test_status(request_line, healthy, status) -> None:
    async with serve_metrics("127.0.0.1:0", CollectorRegistry(), lambda: healthy) as address:
        assert (await _ask(address, request_line)).startswith(b"HTTP/1.1 " + status + b"\r\n")


async def test_head_has_no_body() -> None:
    async with serve_metrics("127.0.0.1:0", CollectorRegistry(), lambda: True) as address:
        assert (await _ask(address, _get("/healthz", "HEAD"))).endswith(b"\r\n\r\n")


async def test_request_that_is_too_long_gets_no_answer() -> None:
    async with serve_metrics("127.0.0.1:0", CollectorRegistry(), lambda: True) as address:
        try:
            answer = await _ask(address, b"GET /" + b"x" * 100_000)
        except ConnectionError:
            answer = b""
    assert answer == b""


async def test_silent_caller_is_dropped(monkeypatch) -> None:
    monkeypatch.setattr(endpoint, "_EXCHANGE_SECONDS_MAX", 0.02)
    async with serve_metrics("127.0.0.1:0", CollectorRegistry(), lambda: True) as address:
        assert await _ask(address, b"GET") == b""


async def test_one_caller_too_many_is_turned_away(monkeypatch) -> None:
    monkeypatch.setattr(endpoint, "_CONNECTIONS_MAX", 1)
    async with serve_metrics("127.0.0.1:0", CollectorRegistry(), lambda: True) as address:
        _, holding = await asyncio.open_connection(*split_address(address))
        assert await _ask(address, b"") == b""
        holding.close()
        await holding.wait_closed()


async def test_end_does_not_wait_for_callers() -> None:
    async with asyncio.timeout(2):
        async with serve_metrics("127.0.0.1:0", CollectorRegistry(), lambda: True) as address:
            _, writer = await asyncio.open_connection(*split_address(address))
        writer.close()


async def test_failure_of_the_owner_is_let_out_as_it_is() -> None:
    with pytest.raises(LookupError):
        async with serve_metrics("127.0.0.1:0", CollectorRegistry(), lambda: True):
            raise LookupError


async def test_empty_address_serves_nothing() -> None:
    async with serve_metrics("", CollectorRegistry(), lambda: True) as address:
        assert address == ""


async def test_address_in_use_is_an_error() -> None:
    async with serve_metrics("127.0.0.1:0", CollectorRegistry(), lambda: True) as address:
        with pytest.raises(SettingsError, match=r"TASKWIRE_METRICS_LISTEN: cannot listen on .* in use"):
            async with serve_metrics(address, CollectorRegistry(), lambda: True):
                pass

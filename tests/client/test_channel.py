"""The options are what gRPC understands. What repeating does is shown by test_client.py."""

import asyncio
import json

import grpc
import grpc.aio
import pytest

from taskwire import channel, errors
from taskwire.v1 import queue_service_pb2, task_service_pb2


def test_config_names_every_service() -> None:
    services = {
        service.full_name
        for module in (queue_service_pb2, task_service_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
    }

    assert set(channel.SERVICES) == services


async def test_channel_opens_with_the_options(monkeypatch) -> None:
    given = {}
    real = grpc.aio.insecure_channel

    def insecure_channel(address: str, options: tuple[tuple[str, object], ...]) -> grpc.aio.Channel:
        given.update(options)
        return real(address, options)

    monkeypatch.setattr(grpc.aio, "insecure_channel", insecure_channel)
    await channel.open_channel("127.0.0.1:1", None).close()

    assert json.loads(given.pop("grpc.service_config")) == channel._SERVICE_CONFIG
    assert given == {
        "grpc.per_rpc_retry_buffer_size": 5 * 1024 * 1024,
        "grpc.keepalive_time_ms": 30_000,
        "grpc.keepalive_timeout_ms": 20_000,
        "grpc.http2.ping_timeout_ms": 20_000,
        "grpc.max_reconnect_backoff_ms": 2_000,
        "grpc.use_local_subchannel_pool": 1,
    }


def test_calls_are_repeated_and_watches_are_not() -> None:
    calls, watches = channel._SERVICE_CONFIG["methodConfig"]
    streams = [
        {"service": service.full_name, "method": method.name}
        for service in task_service_pb2.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if method.server_streaming
    ]

    assert calls["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    assert calls["retryPolicy"]["maxAttempts"] <= 5
    assert watches == {"name": streams}


async def test_misuse_and_cancellation_of_an_open_channel_stay_what_they_are() -> None:
    for raised in (grpc.aio.UsageError("misuse"), asyncio.CancelledError()):
        with pytest.raises(type(raised)), channel.translated(lambda: False):
            raise raised


@pytest.mark.parametrize("raised", [grpc.aio.UsageError("Channel is closed."), asyncio.CancelledError()])
async def test_what_comes_of_closing_says_so(raised) -> None:
    with pytest.raises(errors.ClientClosed, match="the client was closed"), channel.translated(lambda: True):
        raise raised

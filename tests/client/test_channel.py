"""The service config is what gRPC understands. What it does is shown by test_client.py."""

import json

from taskwire import channel
from taskwire.v1 import queue_service_pb2, task_service_pb2


def test_config_names_every_service() -> None:
    services = {
        service.full_name
        for module in (queue_service_pb2, task_service_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
    }

    assert set(channel.SERVICES) == services


async def test_channel_opens_with_the_config() -> None:
    opened = channel.open_channel("127.0.0.1:1", None)
    await opened.close()

    (method_config,) = json.loads(json.dumps(channel._SERVICE_CONFIG))["methodConfig"]
    assert method_config["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    assert method_config["retryPolicy"]["maxAttempts"] <= 5

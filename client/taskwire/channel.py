"""The connection to the service, and how calls on it are repeated."""

import json
from typing import Any

import grpc
import grpc.aio

SERVICES = ("taskwire.v1.TaskService", "taskwire.v1.QueueService")

_SERVICE_CONFIG: dict[str, Any] = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{"service": service} for service in SERVICES],
            "retryPolicy": {
                # UNAVAILABLE only: the others say that repeating is pointless, or is for the caller to decide.
                "retryableStatusCodes": ["UNAVAILABLE"],
                # gRPC cuts anything above 5 to 5 (gRFC A6).
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
            },
        }
    ],
    # Stops repeating while more than about half of the calls fail, so that a service in trouble is not given four
    # times its load.
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
}


def open_channel(address: str, credentials: grpc.ChannelCredentials | None) -> grpc.aio.Channel:
    """Open a channel for the life of the process. The caller closes it."""
    options = [("grpc.service_config", json.dumps(_SERVICE_CONFIG))]
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=options)
    return grpc.aio.secure_channel(address, credentials, options=options)

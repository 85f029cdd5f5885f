"""The connection to the service: how calls on it are repeated, and what becomes of their errors."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import grpc.aio

from taskwire.errors import ClientClosed, ErrorFacts, error_from

SERVICES = ("taskwire.v1.TaskService", "taskwire.v1.QueueService")
WATCHES = ("WatchTask", "WatchTasks")

RETRY_BUFFER_BYTES = 5 * 1024 * 1024
"""What gRPC keeps of one call to repeat it: more than the 4 MiB of a request. By itself it keeps 256 KiB."""
KEEPALIVE_MS = 30_000
"""How often a quiet connection with calls is asked whether it lives. The gateway allows 20 s and more."""
KEEPALIVE_ANSWER_MS_MAX = 20_000
"""How long that may take. A connection that died without a word is then left."""

RECONNECT_MS_MAX = 2_000
"""Between two tries to connect. By itself gRPC waits up to two minutes, longer than
a call may take."""

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
        },
        # No policy: a watch reconnects by itself, and its normal end, UNAVAILABLE, must not count as a failure below.
        {"name": [{"service": "taskwire.v1.TaskService", "method": method} for method in WATCHES]},
    ],
    # Stops repeating while more than about half of the calls fail, so that a service in trouble is not given four
    # times its load.
    "retryThrottling": {"maxTokens": 1000, "tokenRatio": 1},
}
_OPTIONS = (
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.per_rpc_retry_buffer_size", RETRY_BUFFER_BYTES),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_ANSWER_MS_MAX),
    # Without it gRPC waits for the answer to a ping for a minute, whatever the timeout of the keepalive.
    ("grpc.http2.ping_timeout_ms", KEEPALIVE_ANSWER_MS_MAX),
    ("grpc.max_reconnect_backoff_ms", RECONNECT_MS_MAX),
    # Else a new client shares the connection of an older one in this process, and how long that waits to connect again.
    ("grpc.use_local_subchannel_pool", 1),
)


def open_channel(address: str, credentials: grpc.ChannelCredentials | None) -> grpc.aio.Channel:
    """Open a channel for the life of the process. The caller closes it."""
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=_OPTIONS)
    return grpc.aio.secure_channel(address, credentials, options=_OPTIONS)


@contextmanager
def translated(is_closed: Callable[[], bool]) -> Iterator[None]:
    """Make exceptions of ours of those of gRPC, and `ClientClosed` of all that comes of closing the channel."""
    try:
        yield
    except grpc.RpcError as error:
        if is_closed() and error.code() is grpc.StatusCode.CANCELLED:
            raise _closed() from error
        raise error_from(error) from error
    except grpc.aio.UsageError as error:
        if is_closed():
            raise _closed() from error
        raise
    except asyncio.CancelledError as error:
        # Closing cancels calls, and gRPC says so as if somebody had cancelled their coroutines.
        if is_closed() and not _is_being_cancelled():
            raise _closed() from error
        raise


def _closed() -> ClientClosed:
    return ClientClosed(ErrorFacts(code=grpc.StatusCode.CANCELLED, message="the client was closed"))


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0

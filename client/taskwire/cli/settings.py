"""What the client commands take from the environment. The only module of the client that reads it."""

import os

DEFAULT_ADDRESS = "127.0.0.1:50051"


def gateway_address() -> str:
    """Return the gateway to talk to: `TASKWIRE_ADDRESS`."""
    return os.environ.get("TASKWIRE_ADDRESS") or DEFAULT_ADDRESS


def own_gateway_address() -> str:
    """Return where a gateway in the same container listens: `TASKWIRE_LISTEN`, else as `gateway_address`."""
    listen = os.environ.get("TASKWIRE_LISTEN", "")
    return _reachable(listen) if listen else gateway_address()


def own_metrics_address() -> str:
    """Return where a service in the same container answers HTTP, `TASKWIRE_METRICS_LISTEN`. Empty when it does not."""
    listen = os.environ.get("TASKWIRE_METRICS_LISTEN", "")
    return _reachable(listen) if listen else ""


def _reachable(listen: str) -> str:
    """Replace the address that stands for every interface by one that can be called."""
    host, _, port = listen.rpartition(":")
    return f"{ {'0.0.0.0': '127.0.0.1', '[::]': '[::1]'}.get(host, host) }:{port}"

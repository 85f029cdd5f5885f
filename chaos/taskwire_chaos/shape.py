"""What a site consists of."""

from collections.abc import Mapping

from msgspec import Struct


class Shape(Struct, frozen=True, kw_only=True):
    """How many of what, and with which settings."""

    gateways: int = 2
    processors: int = 3
    lease_seconds: float = 4.0
    cancel_grace_seconds: float = 1.0
    settings: Mapping[str, str] = {}
    """More variables of the services, without their prefix."""
    postgres: Mapping[str, str] = {}
    bug: str = ""
    nats_nodes: int = 1
    """More make a cluster."""
    standby: bool = False
    """Whether Postgres has a synchronous standby."""
    small_disks: bool = False
    """Whether what the servers write goes to disks that can be filled, where it is allowed to mount any."""

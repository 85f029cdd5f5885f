"""Who a caller is, as far as the data is concerned."""

from collections.abc import Callable
from typing import Any

import grpc

from taskwire_shared.domain.task import DEFAULT_TENANT

CallContext = grpc.aio.ServicerContext[Any, Any]
TenantResolver = Callable[[CallContext], str]
"""Names the tenant of a call by its metadata, peer or certificate. Raises `Unauthenticated` or `PermissionDenied`."""


def everyone_is_default(_: CallContext) -> str:
    """Take every caller for the one tenant there is."""
    return DEFAULT_TENANT

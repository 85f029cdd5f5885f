"""What the gRPC library calls a handler, typed."""

from typing import TYPE_CHECKING, Any, TypeAlias

import grpc

if TYPE_CHECKING:
    # Generic in its stubs only.
    Handler: TypeAlias = grpc.GenericRpcHandler[Any, Any]
else:
    Handler = grpc.GenericRpcHandler

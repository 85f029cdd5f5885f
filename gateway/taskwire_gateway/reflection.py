"""Reflection, by which tools such as grpcurl learn the API."""

from collections.abc import Sequence

import grpc
from google.protobuf.message import DecodeError

# Imported for its descriptors: with them, tools can show the details of errors.
from google.rpc import error_details_pb2  # noqa: F401
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

from taskwire_gateway.server import Handler

_V1 = "grpc.reflection.v1.ServerReflection"
_V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"


def reflection_handlers(services: Sequence[str]) -> list[Handler]:
    """Describe `services` in both versions of the protocol.

    They differ in the name of the package only, and tools differ in which of them they speak; the library has v1alpha.
    """
    servicer = ReflectionServicer((*services, _V1, _V1ALPHA))
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=_decoded,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}) for name in (_V1, _V1ALPHA)]


def _decoded(data: bytes) -> reflection_pb2.ServerReflectionRequest:
    # Where this raises, the library answers UNKNOWN, with the text of the error, and logs a traceback. A request for
    # nothing gets a proper error.
    try:
        return reflection_pb2.ServerReflectionRequest.FromString(data)
    except DecodeError:
        return reflection_pb2.ServerReflectionRequest()

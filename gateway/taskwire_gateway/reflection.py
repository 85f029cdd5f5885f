"""Reflection, by which tools such as grpcurl learn the API."""

from collections.abc import Sequence
from functools import lru_cache

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError

# Imported for its descriptors: with them, tools can show the details of errors.
from google.rpc import error_details_pb2  # noqa: F401
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

from taskwire_gateway.server import Handler

_FILES_MAX = 64
"""Of which the description is kept: more than there are."""
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
        response_serializer=_encoded,
    )
    return [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}) for name in (_V1, _V1ALPHA)]


def _decoded(data: bytes) -> reflection_pb2.ServerReflectionRequest:
    # Where this raises, the library answers UNKNOWN, with the text of the error, and logs a traceback. A request for
    # nothing gets a proper error.
    try:
        return reflection_pb2.ServerReflectionRequest.FromString(data)
    except DecodeError:
        return reflection_pb2.ServerReflectionRequest()


def _encoded(response: reflection_pb2.ServerReflectionResponse) -> bytes:
    if response.HasField("file_descriptor_response"):
        files = response.file_descriptor_response.file_descriptor_proto
        files[:] = [_with_json_names(file) for file in files]
    return bytes(response.SerializeToString())


@lru_cache(maxsize=_FILES_MAX)
def _with_json_names(file: bytes) -> bytes:
    """Fill in the names of fields in JSON, which Python leaves out. Without them, grpcurl prints the other names."""
    descriptor = FileDescriptorProto.FromString(file)
    messages = list(descriptor.message_type)
    while messages:
        message = messages.pop()
        messages += message.nested_type
        for field in message.field:
            first, *words = field.name.split("_")
            field.json_name = first + "".join(word[:1].upper() + word[1:] for word in words)
    return descriptor.SerializeToString()

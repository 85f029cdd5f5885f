"""Tools learn the API from the server itself."""

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2

from taskwire_gateway.methods import QUEUE_SERVICE, TASK_SERVICE


def _stub(api, version):
    return api.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_the_api_describes_itself(api, version):
    stub = _stub(api, version)
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=TASK_SERVICE),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="google.rpc.ErrorInfo"),
    ]
    call = stub(iter(requests))
    listed, *files = [response async for response in call]
    assert {TASK_SERVICE, QUEUE_SERVICE, "grpc.health.v1.Health"} <= {
        service.name for service in listed.list_services_response.service
    }
    assert all(file.file_descriptor_response.file_descriptor_proto for file in files)


def _fields(messages):
    for message in messages:
        yield from message.field
        yield from _fields(message.nested_type)


async def test_fields_have_the_names_that_json_gives_them(api):
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=TASK_SERVICE)
    (answer,) = [response async for response in _stub(api, "v1")(iter([request]))]
    described = [FileDescriptorProto.FromString(file) for file in answer.file_descriptor_response.file_descriptor_proto]

    pool = descriptor_pool.Default()
    assert len(described) > 1
    for file in described:
        for message in file.message_type:
            known = pool.FindMessageTypeByName(f"{file.package}.{message.name}")
            assert {field.name: field.json_name for field in message.field} == {
                field.name: field.json_name for field in known.fields
            }
        assert all(field.json_name for field in _fields(file.message_type))
    names = {field.name: field.json_name for file in described for field in _fields(file.message_type)}
    assert names["schedule_time"] == "scheduleTime"


async def test_a_request_that_cannot_be_read_is_refused(api):
    ask = api.channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
    (answer,) = [reflection_pb2.ServerReflectionResponse.FromString(data) async for data in ask(iter([b"\xff"]))]
    assert answer.error_response.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]


async def test_reflection_can_be_off(gateway):
    async with gateway(reflection=False) as api:
        stub = api.channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in stub(iter([b""])):
                pass
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED

"""Tools learn the API from the server itself."""

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2

from taskwire_gateway.methods import QUEUE_SERVICE, TASK_SERVICE


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_the_api_describes_itself(api, version):
    stub = api.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
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

"""`taskwire health`: the probe of a gateway over gRPC, that of a processor over HTTP."""

import asyncio
import socket
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import grpc
import grpc_testing
import pytest
from grpc_health.v1 import health_pb2
from prometheus_client import CollectorRegistry

from taskwire.cli import health
from taskwire_shared.telemetry.endpoint import serve_metrics

CHECK = health_pb2.DESCRIPTOR.services_by_name["Health"].methods_by_name["Check"]


@pytest.fixture
def channel() -> grpc_testing.Channel:
    clock = grpc_testing.strict_real_time()
    return grpc_testing.channel([health_pb2.DESCRIPTOR.services_by_name["Health"]], clock)


@pytest.mark.parametrize(
    ("status", "code"),
    [("SERVING", 0), ("NOT_SERVING", 1), ("SERVICE_UNKNOWN", 1), ("UNKNOWN", 1)],
)
def test_answer_decides_the_exit_code(channel, capsys, status, code) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(health.over_grpc, channel, "taskwire.v1.TaskService")
        _, request, rpc = channel.take_unary_unary(CHECK)
        answer = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.ServingStatus.Value(status))
        rpc.send_initial_metadata(())
        rpc.terminate(answer, (), grpc.StatusCode.OK, "")
        assert asked.result(5) == code

    assert request.service == "taskwire.v1.TaskService"
    assert capsys.readouterr().out == f"{status}\n"


def test_status_is_one_line(channel, capsys) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(health.over_grpc, channel, "")
        _, _, rpc = channel.take_unary_unary(CHECK)
        rpc.send_initial_metadata(())
        rpc.terminate(None, (), grpc.StatusCode.NOT_FOUND, "unknown service")
        assert asked.result(5) == 1

    assert capsys.readouterr().err == "taskwire: NOT_FOUND: unknown service\n"


def test_gateway_that_is_not_there(monkeypatch, capsys) -> None:
    monkeypatch.setenv("TASKWIRE_LISTEN", "127.0.0.1:1")

    assert health.main([]) == 1
    assert "UNAVAILABLE" in capsys.readouterr().err


@pytest.mark.parametrize(("healthy", "code"), [(True, 0), (False, 1)])
async def test_over_http(healthy, code, monkeypatch) -> None:
    async with serve_metrics("127.0.0.1:0", CollectorRegistry(), lambda: healthy) as address:
        monkeypatch.setenv("TASKWIRE_METRICS_LISTEN", address)
        assert await asyncio.to_thread(health.main, ["--http"]) == code


@pytest.fixture
def dead_proxy(monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    # What the environment said at the first request is kept there.
    monkeypatch.setattr(urllib.request, "_opener", None)
    for variable in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("dead_proxy")
async def test_proxy_is_not_asked_over_http() -> None:
    async with serve_metrics("127.0.0.1:0", CollectorRegistry(), lambda: True) as address:
        assert await asyncio.to_thread(health.main, ["--http", "--address", address]) == 0


@pytest.mark.usefixtures("dead_proxy")
@pytest.mark.parametrize("tls", [False, True])
def test_proxy_is_not_asked_over_grpc(tls, tmp_path, capsys) -> None:
    (tmp_path / "ca.pem").write_bytes(b"")
    with socket.socket() as service:
        # Bound but not listening: it refuses, under its own number.
        service.bind(("127.0.0.1", 0))
        port = service.getsockname()[1]
        options = ["--ca-file", str(tmp_path / "ca.pem"), "--server-name", "taskwire"] if tls else []
        assert health.main(["--address", f"127.0.0.1:{port}", *options]) == 1

    assert f"127.0.0.1:{port}" in capsys.readouterr().err


def test_over_http_without_an_address_is_a_usage_error(monkeypatch, capsys) -> None:
    monkeypatch.delenv("TASKWIRE_METRICS_LISTEN", raising=False)

    assert health.main(["--http"]) == 2
    assert health.main(["--http", "--address", "127.0.0.1:1"]) == 1
    assert "TASKWIRE_METRICS_LISTEN" in capsys.readouterr().err


def test_certificate_that_cannot_be_read(tmp_path, capsys) -> None:
    assert health.main(["--ca-file", str(tmp_path / "none.pem")]) == 2
    assert "none.pem" in capsys.readouterr().err


async def test_what_does_not_speak_http_is_one_line(capsys) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        assert await asyncio.to_thread(health.main, ["--http", "--address", f"{host}:{port}"]) == 1

    assert capsys.readouterr().err == "taskwire: SSH-2.0-OpenSSH\n"

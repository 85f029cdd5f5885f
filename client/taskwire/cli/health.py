"""`taskwire health`: ask a service whether it is well. For containers, so it is synchronous and quick.

A gateway is asked over gRPC (`grpc.health.v1.Health`), a processor over HTTP where it serves its metrics.
"""

import argparse
import http.client
import urllib.error
import urllib.request
from pathlib import Path

import grpc

from taskwire.cli.session import FAILED, OK, USAGE_ERROR, complain
from taskwire.cli.settings import own_gateway_address, own_metrics_address

_ANSWER_SECONDS_MAX = 3.0
"""Shorter than the timeouts that container engines have by default, so that the reason is printed."""


def main(argv: list[str]) -> int:
    """Check the health of a service: exit code 0 when it is well."""
    arguments = _parser().parse_args(argv)
    if not arguments.http:
        return _over_grpc(arguments)
    address = arguments.address or own_metrics_address()
    if not address:
        complain("no address: give --address, or set TASKWIRE_METRICS_LISTEN")
        return USAGE_ERROR
    return over_http(address)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taskwire health", description=main.__doc__)
    parser.add_argument("--address", help="default: TASKWIRE_LISTEN, or with --http TASKWIRE_METRICS_LISTEN")
    parser.add_argument("--http", action="store_true", help="ask /healthz over HTTP, as for a processor")
    parser.add_argument("--service", default="", help="a gRPC service, for example taskwire.v1.TaskService")
    parser.add_argument("--ca-file", type=Path, help="speak TLS, and trust the certificates in this PEM file")
    parser.add_argument("--server-name", help="the name in the server's certificate, where it is not the address")
    return parser


def _over_grpc(arguments: argparse.Namespace) -> int:
    try:
        with _channel(arguments) as channel:
            return over_grpc(channel, arguments.service)
    except ModuleNotFoundError as error:
        complain(f"{error.name} is not installed; install it with its servers, from a clone: pip install '.[server]'")
    except OSError as error:
        complain(str(error))
    return USAGE_ERROR


def _channel(arguments: argparse.Namespace) -> grpc.Channel:
    address = arguments.address or own_gateway_address()
    # What is asked is near: a proxy of the environment is for the world outside, and would answer for itself.
    options: list[tuple[str, str | int]] = [("grpc.enable_http_proxy", 0)]
    if arguments.ca_file is None:
        return grpc.insecure_channel(address, options)
    if arguments.server_name:
        options += [("grpc.ssl_target_name_override", arguments.server_name)]
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(arguments.ca_file.read_bytes()), options)


def over_grpc(channel: grpc.Channel, service: str) -> int:
    """Ask `Health.Check` for `service`, print the answer, and return the exit code."""
    # Imported late: the package comes with the server, and the other commands do without.
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    request = health_pb2.HealthCheckRequest(service=service)
    try:
        response = health_pb2_grpc.HealthStub(channel).Check(request, timeout=_ANSWER_SECONDS_MAX)
    except grpc.RpcError as error:
        return complain(f"{error.code().name}: {error.details()}")
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
    print(status)
    return OK if response.status == health_pb2.HealthCheckResponse.SERVING else FAILED


def over_http(address: str) -> int:
    """Ask `/healthz` at `address`, print the answer, and return the exit code."""
    # Past the proxies of the environment, as above.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}/healthz", timeout=_ANSWER_SECONDS_MAX) as answer:
            print(answer.read().decode().strip())
            return OK
    except urllib.error.HTTPError as error:
        with error:
            return complain(error.read().decode(errors="replace").strip())
    except (OSError, ValueError, http.client.HTTPException) as error:
        return complain(" ".join(str(error).split()) or type(error).__name__)

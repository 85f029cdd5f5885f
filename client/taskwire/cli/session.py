"""What every command that talks to the service has in common: options, the connection, errors, the exit code."""

import argparse
import asyncio
import io
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc

from taskwire.cli.output import Output
from taskwire.cli.settings import gateway_address
from taskwire.client import Client
from taskwire.errors import TaskwireError

OK = 0
FAILED = 1
USAGE_ERROR = 2

Action = Callable[[Client, Output], Awaitable[int]]


def command_parser(name: str, summary: str | None) -> argparse.ArgumentParser:
    """Make a parser with the options that all commands have."""
    parser = argparse.ArgumentParser(prog=f"taskwire {name}", description=summary)
    parser.add_argument("--address", help="the gateway (default: TASKWIRE_ADDRESS, or 127.0.0.1:50051)")
    parser.add_argument("--ca-file", type=Path, help="speak TLS, and trust the certificates in this PEM file")
    parser.add_argument("--tls", action="store_true", help="speak TLS, and trust the usual authorities")
    parser.add_argument(
        "--output", choices=["json", "text"], help="JSON lines or text (default: text in a terminal, else JSON)"
    )
    return parser


def run(arguments: argparse.Namespace, action: Action) -> int:
    """Run `action` with a client, turn what goes wrong into one line, and return the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal may not have every character that a task has.
        sys.stdout.reconfigure(errors="backslashreplace")
    output = Output(sys.stdout, as_json=_is_json(arguments.output))
    try:
        credentials = _credentials(arguments)
    except OSError as error:
        complain(str(error))
        return USAGE_ERROR
    try:
        return asyncio.run(_with_client(_address(arguments), credentials, action, output))
    except TaskwireError as error:
        return complain(_one_line(error))
    except BrokenPipeError:
        return FAILED
    except OSError as error:
        # Such as a disk that is full: the line was all right.
        return complain(str(error))
    except (ValueError, TypeError) as error:
        complain(str(error))
        return USAGE_ERROR


def complain(text: str) -> int:
    """Say on standard error what went wrong, and return the exit code for it."""
    print(f"taskwire: {text}", file=sys.stderr)
    return FAILED


async def _with_client(
    address: str, credentials: grpc.ChannelCredentials | None, action: Action, output: Output
) -> int:
    # At a terminal, an answer that the service is not there is worth more than waiting for it.
    async with Client(address, credentials=credentials, wait_for_ready=False) as client:
        return await action(client, output)


def _address(arguments: argparse.Namespace) -> str:
    return arguments.address or gateway_address()


def _credentials(arguments: argparse.Namespace) -> grpc.ChannelCredentials | None:
    if arguments.ca_file is not None:
        return grpc.ssl_channel_credentials(arguments.ca_file.read_bytes())
    return grpc.ssl_channel_credentials() if arguments.tls else None


def _is_json(choice: str | None) -> bool:
    # There is none where the caller has closed it.
    return choice == "json" if choice else sys.stdout is None or not sys.stdout.isatty()


def _one_line(error: TaskwireError) -> str:
    text = " ".join(str(error).split())
    hint = f" (log_id {error.metadata['log_id']})" if "log_id" in error.metadata else ""
    return f"{error.reason or error.code.name}: {text}{hint}"

"""What every command that talks to the service has in common: options, the connection, errors, the exit code."""

import argparse
import asyncio
import os
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
INTERRUPTED = 130

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
    output = Output(sys.stdout, as_json=_is_json(arguments.output))
    try:
        return asyncio.run(_with_client(arguments, action, output))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except TaskwireError as error:
        return complain(_one_line(error))
    except (OSError, ValueError, TypeError) as error:
        complain(str(error))
        return USAGE_ERROR


def complain(text: str) -> int:
    """Say on standard error what went wrong, and return the exit code for it."""
    print(f"taskwire: {text}", file=sys.stderr)
    return FAILED


async def _with_client(arguments: argparse.Namespace, action: Action, output: Output) -> int:
    # At a terminal, an answer that the service is not there is worth more than waiting for it.
    async with Client(_address(arguments), credentials=_credentials(arguments), wait_for_ready=False) as client:
        return await action(client, output)


def _address(arguments: argparse.Namespace) -> str:
    return arguments.address or gateway_address()


def _credentials(arguments: argparse.Namespace) -> grpc.ChannelCredentials | None:
    if arguments.ca_file is not None:
        return grpc.ssl_channel_credentials(arguments.ca_file.read_bytes())
    return grpc.ssl_channel_credentials() if arguments.tls else None


def _is_json(choice: str | None) -> bool:
    return choice == "json" if choice else not sys.stdout.isatty()


def _one_line(error: TaskwireError) -> str:
    text = " ".join(str(error).split())
    hint = f" (log_id {error.metadata['log_id']})" if "log_id" in error.metadata else ""
    return f"{error.reason or error.code.name}: {text}{hint}"

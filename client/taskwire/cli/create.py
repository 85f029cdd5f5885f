"""`taskwire create`: store a task."""

import argparse
import sys
from datetime import datetime

from taskwire.cli.output import Output
from taskwire.cli.selection import label
from taskwire.cli.session import OK, USAGE_ERROR, command_parser, complain, run
from taskwire.cli.watch import follow
from taskwire.client import Client
from taskwire.task import TaskPriority

_PRIORITIES = {"low": TaskPriority.LOW, "normal": TaskPriority.NORMAL, "high": TaskPriority.HIGH}


def main(argv: list[str]) -> int:
    """Create a task."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.delay is not None and (arguments.id is not None or arguments.key is not None):
        parser.error("with --id or --key give --at instead of --delay, which would be another time in a second call")

    try:
        # Before there is a loop, which would keep the first Ctrl-C for later.
        input = _standard_input() if arguments.input == "-" else arguments.input
    except (OSError, ValueError) as error:
        complain(str(error))
        return USAGE_ERROR

    async def action(client: Client, output: Output) -> int:
        task = await client.create(
            arguments.type,
            input,
            queue=arguments.queue,
            priority=_PRIORITIES.get(arguments.priority),
            delay=arguments.delay,
            schedule_time=arguments.at,
            expire_time=arguments.expires,
            max_attempts=arguments.max_attempts,
            attempt_timeout=arguments.timeout,
            labels=dict(arguments.label),
            task_id=arguments.id,
            idempotency_key=arguments.key,
        )
        if not arguments.watch:
            output.task(task)
            return OK
        return await follow(client, output, task.id, after_version=0)

    return run(arguments, action)


def _standard_input() -> str:
    if sys.stdin is None:
        raise ValueError("standard input is closed: there is no - to read")
    return sys.stdin.read()


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("create", main.__doc__)
    parser.add_argument("type", help="the name of the handler")
    parser.add_argument("input", nargs="?", help="the argument of the handler, as text; - reads standard input")
    parser.add_argument("--queue", metavar="NAME")
    parser.add_argument("--priority", choices=list(_PRIORITIES))
    parser.add_argument("--delay", type=float, metavar="SECONDS", help="start no sooner than in so many seconds")
    parser.add_argument("--at", type=moment, metavar="TIME", help="start no sooner, e.g. 2026-12-24T18:00:00+01:00")
    parser.add_argument("--expires", type=moment, metavar="TIME", help="start no later")
    parser.add_argument("--max-attempts", type=int, metavar="COUNT")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="how long one attempt may take")
    parser.add_argument("--label", action="append", default=[], type=label, metavar="KEY=VALUE")
    parser.add_argument("--id", metavar="UUID", help="the identifier, a fresh UUIDv7")
    parser.add_argument("--key", help="an idempotency key")
    parser.add_argument("--watch", action="store_true", help="follow the task until it is done")
    return parser


def moment(text: str) -> datetime:
    """Read a time in ISO 8601 that names its zone. Raises argparse's error for anything else."""
    example = "such as 2026-12-24T18:00:00+01:00"
    try:
        read = datetime.fromisoformat(text)
        if read.utcoffset() is not None:
            return read.astimezone()
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time {example}") from error
    raise argparse.ArgumentTypeError(f"{text!r} names no time zone: write one {example}, or Z at the end for UTC")

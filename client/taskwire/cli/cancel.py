"""`taskwire cancel`: make a task stop."""

from taskwire.cli.output import Output
from taskwire.cli.session import OK, command_parser, run
from taskwire.client import Client


def main(argv: list[str]) -> int:
    """Cancel a task, or tell its handler to stop."""
    parser = command_parser("cancel", main.__doc__)
    parser.add_argument("task_id", metavar="ID")
    parser.add_argument("--reason", default="", help="why, for the records")
    arguments = parser.parse_args(argv)

    async def action(client: Client, output: Output) -> int:
        output.task(await client.cancel(arguments.task_id, reason=arguments.reason))
        return OK

    return run(arguments, action)

"""`taskwire get`: show one task."""

from taskwire.cli.output import Output
from taskwire.cli.session import OK, command_parser, run
from taskwire.client import Client


def main(argv: list[str]) -> int:
    """Show a task with its input, output and why it waits."""
    parser = command_parser("get", main.__doc__)
    parser.add_argument("task_id", metavar="ID")
    arguments = parser.parse_args(argv)

    async def action(client: Client, output: Output) -> int:
        output.task(await client.get(arguments.task_id))
        return OK

    return run(arguments, action)

"""`taskwire retry`: run a task again."""

from taskwire.cli.output import Output
from taskwire.cli.session import OK, command_parser, run
from taskwire.client import Client


def main(argv: list[str]) -> int:
    """Make a new task like one that has failed or was cancelled."""
    parser = command_parser("retry", main.__doc__)
    parser.add_argument("task_id", metavar="ID")
    arguments = parser.parse_args(argv)

    async def action(client: Client, output: Output) -> int:
        output.task(await client.retry(arguments.task_id))
        return OK

    return run(arguments, action)

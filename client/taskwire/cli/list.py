"""`taskwire list`: show many tasks."""

from contextlib import aclosing

from taskwire.cli.output import Output
from taskwire.cli.selection import add_selection, selector
from taskwire.cli.session import OK, command_parser, run
from taskwire.client import Client

_LIMIT = 50


def main(argv: list[str]) -> int:
    """List tasks from new to old."""
    parser = command_parser("list", main.__doc__)
    add_selection(parser)
    parser.add_argument(
        "--limit", type=int, default=_LIMIT, metavar="COUNT", help=f"at most so many (default {_LIMIT})"
    )
    parser.add_argument("--all", action="store_true", help="without a limit")
    arguments = parser.parse_args(argv)
    if arguments.limit < 1:
        parser.error("--limit must be at least 1")

    async def action(client: Client, output: Output) -> int:
        shown = 0
        async with aclosing(client.list(selector(arguments))) as tasks:
            async for task in tasks:
                output.row(task)
                shown += 1
                if shown >= arguments.limit and not arguments.all:
                    break
        return OK

    return run(arguments, action)

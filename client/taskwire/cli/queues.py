"""`taskwire queues`: show queues, hold them, let them go on."""

from contextlib import aclosing

from taskwire.cli.output import Output
from taskwire.cli.session import OK, command_parser, run
from taskwire.client import Client


def main(argv: list[str]) -> int:
    """List the queues, or show, pause or resume one."""
    parser = command_parser("queues", main.__doc__)
    parser.add_argument("queue", metavar="NAME", nargs="?", help="show this one, with its counts")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--pause", action="store_true", help="stop starting its tasks")
    choice.add_argument("--resume", action="store_true", help="start its tasks again")
    arguments = parser.parse_args(argv)
    if (arguments.pause or arguments.resume) and arguments.queue is None:
        parser.error("which queue? give its NAME")

    async def action(client: Client, output: Output) -> int:
        if arguments.queue is None:
            async with aclosing(client.queues()) as queues:
                async for queue in queues:
                    output.queue_row(queue)
            return OK
        if arguments.pause:
            await client.pause(arguments.queue)
        elif arguments.resume:
            await client.resume(arguments.queue)
        output.queue(await client.queue(arguments.queue))
        return OK

    return run(arguments, action)

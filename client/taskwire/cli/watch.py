"""`taskwire watch`: follow one task until it is done, or many for ever."""

from contextlib import aclosing

from taskwire.cli.output import Output
from taskwire.cli.selection import add_selection, selector
from taskwire.cli.session import FAILED, OK, command_parser, run
from taskwire.client import Client
from taskwire.requests import Selector
from taskwire.task import TaskInfo, TaskState

TASK_FAILED = 3
TASK_CANCELLED = 4
_EXIT_CODES = {TaskState.SUCCEEDED: OK, TaskState.FAILED: TASK_FAILED, TaskState.CANCELLED: TASK_CANCELLED}


def main(argv: list[str]) -> int:
    """Follow a task until it is done; without an ID, all tasks until interrupted."""
    parser = command_parser("watch", main.__doc__)
    parser.add_argument("task_id", metavar="ID", nargs="?")
    parser.add_argument("--history", action="store_true", help="with an ID: begin with its first version")
    add_selection(parser)
    arguments = parser.parse_args(argv)
    if arguments.task_id is None and arguments.history:
        parser.error("--history of which task? give its ID")
    if arguments.task_id is not None and (arguments.queue or arguments.type or arguments.state or arguments.label):
        parser.error("give an ID, or --queue, --type, --state and --label to pick tasks, not both")

    async def action(client: Client, output: Output) -> int:
        if arguments.task_id is None:
            return await _follow_all(client, output, selector(arguments))
        # A watch would wait for a service that is not there; this answers at once.
        await client.get(arguments.task_id)
        return await follow(client, output, arguments.task_id, after_version=0 if arguments.history else None)

    return run(arguments, action)


async def follow(client: Client, output: Output, task_id: str, *, after_version: int | None) -> int:
    """Print every version of a task until it is done. Returns the exit code that says how it ended."""
    last: TaskInfo | None = None
    async with aclosing(client.watch(task_id, after_version=after_version, with_progress=True)) as versions:
        async for task in versions:
            output.change(task, name_it=False, again=last is not None and last.version == task.version)
            last = task
    ended = last.state if last else TaskState.UNKNOWN
    # A final state that this release does not know is not a success.
    return _EXIT_CODES.get(ended, FAILED)


async def _follow_all(client: Client, output: Output, selected: Selector) -> int:
    # As above: a watch would wait for a service that is not there.
    async with aclosing(client.queues()) as queues:
        await anext(queues, None)
    async with aclosing(client.watch_all(selected)) as messages:
        async for changes in messages:
            for task in changes.tasks:
                output.change(task, name_it=True)
    return OK

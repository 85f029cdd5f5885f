"""Start a runner: `python -m taskwire_processor.runner DESCRIPTOR PARENT`, from control only."""

import os
import socket
import sys

from taskwire_processor.runner.lifeline import die_with, leave_signals_to_control
from taskwire_processor.runner.session import Session
from taskwire_shared import lifecycle


def main() -> None:
    """Run until control ends or closes the connection."""
    descriptor, parent = map(int, sys.argv[1:])
    die_with(parent)
    leave_signals_to_control()
    connection = socket.socket(fileno=descriptor)
    connection.setblocking(False)
    connection.set_inheritable(False)
    lifecycle.run_through(_serve(connection))


async def _serve(connection: socket.socket) -> None:
    session = Session(connection, loaded=lambda: lifecycle.spare_the_collector(lifecycle.RUNNER_OBJECTS_MAX))
    os.register_at_fork(after_in_child=session.disown)
    await session.run()


if __name__ == "__main__":
    main()

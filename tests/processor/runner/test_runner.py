"""`python -m taskwire_processor.runner`."""

import os
import socket
import subprocess
import sys

from taskwire_processor.runner import wire


def test_runner_says_hello_and_ends_with_the_connection():
    ours, theirs = socket.socketpair()
    with (
        ours,
        subprocess.Popen(
            [sys.executable, "-m", "taskwire_processor.runner", str(theirs.fileno()), str(os.getpid())],
            pass_fds=(theirs.fileno(),),
        ) as process,
    ):
        theirs.close()
        ours.settimeout(30)
        ours.sendall(wire.encode([wire.Setup(("taskwire_processor.shipped",), 1, "info", "")]))
        said = wire.reader_in_control().feed(ours.recv(65536))
        ours.close()
        exit_code = process.wait(timeout=10)

    assert isinstance(said[0], wire.Loaded)
    assert exit_code == 0

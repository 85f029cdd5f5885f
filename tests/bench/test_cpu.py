import os
import subprocess
import sys

from taskwire_bench.cpu import Usage, tree_bytes, tree_seconds

_BURN = "import time\nwhile time.process_time() < 0.2: pass"


def test_what_a_child_has_used_counts_also_after_its_end() -> None:
    usage = Usage({"me": [os.getpid()]})
    subprocess.run([sys.executable, "-c", _BURN], check=True)

    # The system counts in hundredths of a second, of two kinds and for two processes.
    assert usage.since()["me"] > 0.2 - 4 * 0.01


def test_a_process_that_is_gone_uses_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    assert tree_seconds(child.pid) == 0
    assert tree_bytes(child.pid) == 0

"""A runner does not outlive its control."""

import subprocess
import sys

PROGRAM = """
import sys, time
from taskwire_processor.runner.lifeline import die_with
die_with(int(sys.argv[1]))
time.sleep(60)
"""


def test_runner_of_a_parent_that_is_gone_ends_at_once():
    ended = subprocess.run([sys.executable, "-c", PROGRAM, "1"], timeout=50, check=False)

    assert ended.returncode == 1

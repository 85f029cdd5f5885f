"""How seldom control and runners look for garbage."""

import subprocess
import sys

PROGRAM = """
import gc
from taskwire_processor.garbage import spare_the_collector
spare_the_collector(20_000)
looks = []
gc.callbacks.append(lambda phase, info: looks.append(info["generation"]))
kept = [[] for _ in range(19_000)]
few = list(looks)
more = [[] for _ in range(19_000)]
print(gc.get_freeze_count() > 1000, few, len(looks) > 0)
"""


def test_collector_looks_seldom_but_looks():
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=50, check=True)

    assert said.stdout == "True [] True\n"

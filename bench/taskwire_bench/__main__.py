"""Run the benchmark: `python -m taskwire_bench [SCENARIO ...]`."""

import sys

from taskwire_bench.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

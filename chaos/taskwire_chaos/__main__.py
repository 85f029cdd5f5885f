"""`python -m taskwire_chaos`."""

import sys

from taskwire_chaos.command import main

if __name__ == "__main__":
    sys.exit(main())

"""`python -m taskwire_gateway`."""

import sys

from taskwire_gateway.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m taskwire_gateway`."""

import sys

from taskwire_gateway.command import main

sys.exit(main(sys.argv[1:]))

"""`python -m taskwire_processor`."""

import sys

from taskwire_processor.command import main

sys.exit(main(sys.argv[1:]))

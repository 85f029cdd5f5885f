"""`python -m taskwire_processor`."""

import sys

from taskwire_processor.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

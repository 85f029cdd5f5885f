"""`python -m taskwire_chaos.abuse`."""

import sys

from taskwire_chaos.abuse.command import main

sys.exit(main())

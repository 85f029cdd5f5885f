"""Plants into this process what its environment asks for."""

import os
import sys
from importlib import import_module

from taskwire_chaos.planted import census, failpoints, limits, tenants

FAILPOINT_VARIABLE = "CHAOS_FAILPOINT"
"""NAME@N: the process dies when it gets to the failpoint NAME for the Nth time."""
BUG_VARIABLE = "CHAOS_BUG"
"""The module in `taskwire_chaos.bugs` whose `plant` is called."""


def plant_what_is_asked_for() -> None:
    """Read the environment and plant. Called before the service has imported anything of its own."""
    census.plant()
    if "taskwire_gateway" in sys.orig_argv:
        tenants.plant()
        limits.plant()
    bug = os.environ.get(BUG_VARIABLE)
    if bug:
        import_module(f"taskwire_chaos.bugs.{bug}").plant()
    failpoint = os.environ.get(FAILPOINT_VARIABLE)
    if failpoint:
        name, _, count = failpoint.partition("@")
        failpoints.FAILPOINTS[name](int(count))

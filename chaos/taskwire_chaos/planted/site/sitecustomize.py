"""Run by every Python process that has this folder on its PYTHONPATH, before anything else.

Plants what the environment asks for, but only into the services themselves: not into runners, and not into what else
they start.
"""

import sys

if any(word in ("taskwire_gateway", "taskwire_processor") for word in sys.orig_argv):
    from taskwire_chaos.planted.planting import plant_what_is_asked_for

    plant_what_is_asked_for()

"""Run by every Python process that has this folder on its PYTHONPATH: lets a service be asked for its asyncio tasks."""

import sys

if any(word in ("taskwire_gateway", "taskwire_processor") for word in sys.orig_argv):
    from taskwire_chaos.abuse.census import answer_to_signals

    answer_to_signals()

"""`python -m taskwire_chaos.load PLAN.json`: one client process."""

import asyncio
import faulthandler
import sys
from pathlib import Path

import msgspec

from taskwire_chaos.layout import RunFolder
from taskwire_chaos.load.client_process import call_until_told
from taskwire_chaos.load.feed_process import watch_for_ever
from taskwire_chaos.load.plan import LoadPlan, WatchPlan


def main() -> None:
    """Do what the plan says. SIGABRT has the stacks of all threads written to the log."""
    faulthandler.enable()
    data = Path(sys.argv[1]).read_bytes()
    if "address" in msgspec.json.decode(data):
        watch = msgspec.json.decode(data, type=WatchPlan)
        asyncio.run(watch_for_ever(watch, RunFolder(Path(watch.folder))))
    else:
        plan = msgspec.json.decode(data, type=LoadPlan)
        asyncio.run(call_until_told(plan, RunFolder(Path(plan.folder))))


if __name__ == "__main__":
    main()

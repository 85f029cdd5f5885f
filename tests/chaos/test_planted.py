"""Everything that can be planted can be planted into the product as it is now."""

import subprocess
import sys
from pathlib import Path

from taskwire_chaos.bugs.catalogue import BUGS
from taskwire_chaos.planted.failpoints import FAILPOINTS, GATEWAY_FAILPOINTS, PROCESSOR_FAILPOINTS
from taskwire_chaos.verdict import VALIDATORS

CHAOS = Path(__file__).resolve().parents[2] / "chaos"
# In a process of its own: what is planted stays.
PLANT_ALL = """
from importlib import import_module
from taskwire_chaos.bugs.catalogue import BUGS
from taskwire_chaos.planted import limits, tenants
from taskwire_chaos.planted.failpoints import FAILPOINTS
tenants.plant()
limits.plant()
for plant in FAILPOINTS.values():
    plant(1)
for bug in BUGS:
    import_module(f"taskwire_chaos.bugs.{bug.module}").plant()
"""


def test_bugs_and_failpoints_fit_the_product() -> None:
    environment = {"PYTHONPATH": str(CHAOS)}
    subprocess.run([sys.executable, "-c", PLANT_ALL], env=environment, check=True, timeout=50)


def test_every_bug_has_an_aim() -> None:
    modules = {path.stem for path in (CHAOS / "taskwire_chaos" / "bugs").glob("*.py")} - {"__init__", "catalogue"}
    promises = {name.split()[0] for name in VALIDATORS}

    assert sorted(bug.module for bug in BUGS) == sorted(modules)
    assert {f"S{number}" for number in range(1, 16)} <= {bug.number for bug in BUGS}
    assert {promise for bug in BUGS for promise in bug.promises} == promises


def test_every_failpoint_is_somewhere() -> None:
    assert {*GATEWAY_FAILPOINTS, *PROCESSOR_FAILPOINTS} <= FAILPOINTS.keys()

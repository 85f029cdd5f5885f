"""The campaigns: three lengths of the same, and some with other servers."""

from collections.abc import Mapping

from taskwire_chaos.campaign import Plan
from taskwire_chaos.faults.catalogue import FAULTS
from taskwire_chaos.faults.crowd import FreezeWatcher, KillWatcher, Overload
from taskwire_chaos.faults.links import BlackHole, ResetLink
from taskwire_chaos.faults.processes import KillGateway, KillProcessor
from taskwire_chaos.faults.replicas import (
    FreezeLeader,
    FreezeStandby,
    KillLeader,
    LoseBoth,
    LoseMajority,
    PromoteStandby,
)
from taskwire_chaos.load.plan import EVERYTHING
from taskwire_chaos.shape import Shape
from taskwire_chaos.storm import Weather

_WATCHES = {"WATCH_AGE_SECONDS": "20", "HEARTBEAT_SECONDS": "3"}
"""So that watches move to other gateways all the time."""
_GATE_FAULTS = {
    "kill processor": 300,
    "kill gateway": 100,
    "die at failpoint": 60,
    "freeze processor": 60,
    "stop service": 40,
    "kill nats": 60,
    "freeze nats": 10,
    "wipe nats": 10,
    "roll back nats": 10,
    "corrupt nats": 10,
    "delete stream": 10,
    "fill nats disk": 3,
    "crash postgres": 40,
    "terminate backends": 60,
    "reset link": 100,
    "black hole": 30,
    "stall one way": 20,
    "delay link": 30,
    "overload": 8,
}
_GATE_COUNTS = {
    "processor kills": 300,
    "gateway kills": 100,
    "NATS kills": 60,
    "losses of the NATS store": 30,
    "Postgres crashes": 40,
    "cancel races": 5000,
    "watch races": 5000,
    "poison tasks": 500,
    "refusals": 1,
    "overloads": 3,
}
_LONG = Weather(
    seconds=3600,
    period=(8, 30),
    quiet=(3, 10),
    pause=(0.1, 1.5),
    kinds=(2, 4),
    # In a second of its mix a processor is killed 0.3 times and Postgres crashes 0.15 times on a machine that is busy:
    # 250 of the 360 places in the mixes of 50 minutes of it go to what has to be reached.
    weights={"kill processor": 24, "kill gateway": 10},
    calm_every_seconds=480,
    calm_seconds=65,
)
_SPARE_SERVICES = ("crowd", "links", "nats", "postgres")
"""The modules of the faults that restart no service."""
_MEDIUM = Weather(seconds=240, period=(8, 20), quiet=(3, 8))
_LONG_LOAD = {"operations": {**EVERYTHING, "race": 70, "poison": 8}, "workers": 10, "watches_max": 200}
"""On a machine with five times the load that it can bear, a sixth of the cancels of races hit the end of a handler:
these make enough of them even there."""

LENGTHS: Mapping[str, Plan] = {
    "smoke": Plan(
        name="smoke",
        weather=Weather(seconds=90, period=(6, 14), quiet=(3, 6)),
        bound_seconds=60,
        shape=Shape(settings=_WATCHES, small_disks=True),
    ),
    "gate": Plan(
        name="gate",
        weather=_LONG,
        bound_seconds=60,
        shape=Shape(settings=_WATCHES, small_disks=True),
        load=_LONG_LOAD,
        clients=2,
        least_faults=_GATE_FAULTS,
        make_up_seconds=420,
        least_counts=_GATE_COUNTS,
    ),
    "cluster": Plan(
        name="cluster",
        weather=_MEDIUM,
        bound_seconds=60,
        shape=Shape(nats_nodes=3, settings={**_WATCHES, "NATS_REPLICAS": "3"}),
        faults=(KillLeader, FreezeLeader, LoseMajority, KillProcessor, ResetLink, BlackHole),
        least_faults={"kill leader": 20},
        make_up_seconds=180,
    ),
    "standby": Plan(
        name="standby",
        weather=_MEDIUM,
        bound_seconds=60,
        shape=Shape(standby=True, settings=_WATCHES),
        faults=(PromoteStandby, FreezeStandby, LoseBoth, KillGateway, KillProcessor, ResetLink),
        least_faults={"promote standby": 10, "lose both": 5},
        make_up_seconds=240,
    ),
    "overload": Plan(
        name="overload",
        weather=Weather(seconds=120, period=(10, 20), quiet=(3, 6)),
        bound_seconds=60,
        shape=Shape(settings=_WATCHES),
        faults=(Overload, KillWatcher, FreezeWatcher, KillProcessor),
        least_faults={"overload": 8},
        make_up_seconds=120,
        least_counts={"overloads": 5},
    ),
    "flat": Plan(
        name="flat",
        weather=_MEDIUM,
        bound_seconds=60,
        shape=Shape(settings=_WATCHES),
        faults=tuple(kind for kind in FAULTS if kind.__module__.rpartition(".")[2] in _SPARE_SERVICES),
        measures_resources=True,
    ),
    "soak": Plan(
        name="soak",
        weather=Weather(seconds=8 * 3600, period=(20, 60), quiet=(5, 10), calm_every_seconds=600, calm_seconds=65),
        bound_seconds=60,
        shape=Shape(settings=_WATCHES, lease_seconds=8, small_disks=True),
        load=_LONG_LOAD,
        clients=2,
    ),
}

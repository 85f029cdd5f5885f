"""The three lengths of a campaign."""

from collections.abc import Mapping

from taskwire_chaos.campaign import Plan
from taskwire_chaos.load.plan import EVERYTHING
from taskwire_chaos.site import Shape
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
    "overload": 5,
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
}
_LONG = Weather(
    seconds=3000,
    period=(8, 30),
    quiet=(3, 10),
    pause=(0.1, 1.5),
    kinds=(2, 4),
    # By these, and by how often each strikes in a second of its mix (a processor is killed every 3 s, Postgres crashes
    # every 6 s on a machine that is busy), the counts are reached in about this time; the rest is made up for.
    weights={"kill processor": 30, "kill gateway": 10, "kill nats": 7, "crash postgres": 8, "freeze processor": 8},
    calm_every_seconds=480,
    calm_seconds=65,
)
_LONG_LOAD = {"operations": {**EVERYTHING, "race": 40}, "workers": 8, "watches_max": 150}

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
    "soak": Plan(
        name="soak",
        weather=Weather(seconds=8 * 3600, period=(20, 60), quiet=(5, 10), calm_every_seconds=600, calm_seconds=65),
        bound_seconds=60,
        shape=Shape(settings=_WATCHES, lease_seconds=8, small_disks=True),
        load=_LONG_LOAD,
        clients=2,
    ),
}

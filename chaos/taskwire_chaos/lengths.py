"""The three lengths of a campaign."""

from collections.abc import Mapping

from taskwire_chaos.campaign import Plan
from taskwire_chaos.site import Shape
from taskwire_chaos.storm import Weather

_WATCHES = {"WATCH_AGE_SECONDS": "20", "HEARTBEAT_SECONDS": "3"}
"""So that watches move to other gateways all the time."""
_GATE_FAULTS = {
    "kill processor": 300,
    "kill gateway": 100,
    "die at failpoint": 100,
    "freeze processor": 60,
    "stop service": 40,
    "kill nats": 60,
    "freeze nats": 20,
    "wipe nats": 10,
    "roll back nats": 10,
    "corrupt nats": 10,
    "delete stream": 10,
    "crash postgres": 40,
    "terminate backends": 100,
    "reset link": 200,
    "black hole": 60,
    "stall one way": 30,
    "delay link": 60,
    "shift clock": 20,
    "overload": 5,
}

LENGTHS: Mapping[str, Plan] = {
    "smoke": Plan(
        name="smoke",
        weather=Weather(seconds=100, period=(6, 14), quiet=(3, 6)),
        bound_seconds=60,
        shape=Shape(settings=_WATCHES),
    ),
    "gate": Plan(
        name="gate",
        weather=Weather(seconds=4500, period=(20, 60), quiet=(65, 75), pause=(0.2, 2.0)),
        bound_seconds=60,
        shape=Shape(settings=_WATCHES),
        clients=2,
        least_faults=_GATE_FAULTS,
        least_counts={"cancels": 5000, "watches": 5000, "poison tasks": 500},
    ),
    "soak": Plan(
        name="soak",
        weather=Weather(seconds=8 * 3600, period=(20, 60), quiet=(65, 75)),
        bound_seconds=60,
        shape=Shape(settings=_WATCHES, lease_seconds=8),
        clients=2,
    ),
}

"""The three lengths of a campaign."""

from collections.abc import Mapping

from taskwire_chaos.campaign import Plan
from taskwire_chaos.site import Shape
from taskwire_chaos.storm import Weather

_WATCHES = {"WATCH_AGE_SECONDS": "20", "HEARTBEAT_SECONDS": "3"}
"""So that watches move to other gateways all the time."""

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
        clients=3,
    ),
    "soak": Plan(
        name="soak",
        weather=Weather(seconds=8 * 3600, period=(20, 60), quiet=(65, 75)),
        bound_seconds=60,
        shape=Shape(settings=_WATCHES, lease_seconds=8),
        clients=2,
    ),
}

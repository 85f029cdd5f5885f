"""Limits of a gateway that a harness can reach: a flood of some seconds meets refusals."""

from typing import Any

QUEUE_DEPTH_MAX = 1_000
"""Instead of a million. The usual load keeps some dozens waiting, a flood creates some thousands."""
CALLS_MAX = 60
"""Instead of 2,000, for each gateway. The usual load makes up to some 30 at a time while nothing is answered."""


def plant() -> None:
    """Have this gateway use them."""
    from taskwire_gateway import edge
    from taskwire_gateway.admission import Admission

    init: Any = Admission.__init__
    assert "queue_depth_max" in init.__kwdefaults__
    assert edge.CALLS_MAX > CALLS_MAX
    init.__kwdefaults__["queue_depth_max"] = QUEUE_DEPTH_MAX
    edge.CALLS_MAX = CALLS_MAX

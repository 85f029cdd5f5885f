"""Every planted bug, with a workload that is aimed at it and the promises that must be seen broken."""

from collections.abc import Mapping

from msgspec import Struct

from taskwire_chaos.campaign import Plan
from taskwire_chaos.faults.clocks import ShiftClock
from taskwire_chaos.faults.crowd import KillWatcher, Overload
from taskwire_chaos.faults.fault import Fault
from taskwire_chaos.faults.links import DelayLink
from taskwire_chaos.faults.nats import WipeNats
from taskwire_chaos.faults.postgres import CrashPostgres, ExpireLeases, HoldRows, TerminateBackends
from taskwire_chaos.faults.processes import DieAtFailpoint, FreezeProcessor, KillProcessor
from taskwire_chaos.faults.sicknesses import DeafenProcessor, StickForGood
from taskwire_chaos.shape import Shape
from taskwire_chaos.storm import Weather

SECONDS = 15.0
MAKE_UP_SECONDS = 90.0
BOUND_SECONDS = 25.0
"""For everything to end after the heal: the lease, two starts of everything, and as much again."""


class Bug(Struct, frozen=True, kw_only=True):
    """A planted bug and how it is found."""

    number: str
    module: str
    """In this folder."""
    promises: tuple[str, ...]
    """Validators of which one must object: their first words."""
    faults: tuple[type[Fault], ...]
    operations: Mapping[str, int]
    load: Mapping[str, object] = {}
    shape: Shape = Shape()
    seconds: float = SECONDS
    pause: tuple[float, float] = (0.5, 2.0)
    strikes: int = 4
    """Of each fault at least, however slow the machine is."""
    measures_resources: bool = False
    """Whether what services hold is measured before and after the faults, which takes two minutes more."""

    def plan(self, *, planted: bool = True) -> Plan:
        """Return a campaign aimed at it; without it `planted`, one that must be clean."""
        bug = self.module if planted else ""
        return Plan(
            name=f"bug {self.module}" if planted else f"no {self.module}",
            weather=Weather(seconds=self.seconds, period=(30, 30), quiet=(0, 0), pause=self.pause, quiet_part=0),
            bound_seconds=BOUND_SECONDS,
            shape=_with_bug(self.shape, bug),
            faults=self.faults,
            least_faults={fault.name: self.strikes for fault in self.faults},
            make_up_seconds=MAKE_UP_SECONDS,
            measures_resources=self.measures_resources,
            tries_everything=False,
            load={"operations": self.operations, **self.load},
        )


def _with_bug(shape: Shape, bug: str) -> Shape:
    return Shape(
        gateways=shape.gateways,
        processors=shape.processors,
        lease_seconds=shape.lease_seconds,
        cancel_grace_seconds=shape.cancel_grace_seconds,
        settings=shape.settings,
        postgres=shape.postgres,
        bug=bug,
    )


_TWO = Shape(processors=2, lease_seconds=2)
_ONE = Shape(gateways=1, processors=1, lease_seconds=2)
_BUSY = {"workers": 12, "pause_ms": 250.0}
_CALM = {"workers": 4, "pause_ms": 500.0}
"""Where tasks take seconds, so that what is left of the processors has room for them."""

BUGS: tuple[Bug, ...] = (
    Bug(
        number="S1",
        module="no_fence",
        promises=("P4",),
        faults=(FreezeProcessor,),
        operations={"slow": 1},
        shape=_TWO,
        load=_CALM,
        seconds=35,
        strikes=8,
        pause=(0.2, 1.0),
    ),
    Bug(
        number="S2",
        module="no_sweeper",
        promises=("P3", "P5"),
        faults=(KillProcessor,),
        operations={"create": 1, "long": 1},
        load=_CALM,
        shape=_TWO,
    ),
    Bug(
        number="S3",
        module="acknowledge_before_claim",
        promises=("P3", "P5"),
        faults=(TerminateBackends, DieAtFailpoint),
        operations={"create": 1},
        shape=_TWO,
        load=_BUSY,
    ),
    Bug(
        number="S4",
        module="ring_before_commit",
        promises=("P3",),
        faults=(CrashPostgres, DieAtFailpoint),
        operations={"create": 1},
        shape=Shape(processors=1, lease_seconds=2),
        load=_BUSY,
    ),
    Bug(
        number="S5",
        module="sequence_as_cursor",
        promises=("P6",),
        faults=(HoldRows,),
        operations={"create": 12, "batch": 1},
        shape=_TWO,
    ),
    Bug(
        number="S6",
        module="snapshot_before_registering",
        promises=("P6",),
        faults=(DelayLink,),
        operations={"watch": 1},
        shape=_TWO,
        load={**_BUSY, "watches_max": 200},
    ),
    Bug(
        number="S7",
        module="drop_on_overflow",
        promises=("P6",),
        faults=(KillWatcher,),
        operations={"batch": 1},
        load=_CALM,
        shape=_TWO,
    ),
    Bug(
        number="S8",
        module="worker_clock",
        promises=("P3", "P5"),
        faults=(ShiftClock, KillProcessor),
        operations={"create": 1, "long": 2},
        load=_CALM,
        shape=_TWO,
        seconds=25,
        strikes=6,
    ),
    Bug(
        number="S9",
        module="attempt_at_completion",
        promises=("P4", "P8"),
        faults=(KillProcessor,),
        operations={"create": 1, "long": 1, "poison": 1},
        load=_CALM,
        shape=_TWO,
    ),
    Bug(
        number="S10",
        module="unconditional_cancel",
        promises=("P4", "P7"),
        faults=(DelayLink,),
        operations={"race": 1},
        shape=_TWO,
    ),
    Bug(
        number="S11",
        module="no_unique_key",
        promises=("P2",),
        faults=(DelayLink,),
        operations={"key": 1},
        shape=_TWO,
        load=_BUSY,
    ),
    Bug(
        number="S12",
        module="heartbeat_of_dead_loop",
        promises=("P3", "P5"),
        faults=(StickForGood,),
        operations={"long": 1},
        load=_CALM,
        shape=_TWO,
        pause=(30, 30),
        strikes=1,
    ),
    Bug(
        number="S13",
        module="no_watchdog",
        promises=("P5",),
        faults=(DeafenProcessor,),
        operations={"create": 1},
        shape=_ONE,
        pause=(30, 30),
        strikes=1,
    ),
    Bug(
        number="S14",
        module="unshielded",
        promises=("P1",),
        faults=(HoldRows,),
        operations={"cancel": 1},
        shape=_TWO,
        # The server has to be still at it when the caller has gone.
        pause=(0.1, 0.3),
        load={**_BUSY, "hasty": 0.7},
    ),
    Bug(
        number="S15",
        module="no_tenant_filter",
        promises=("P10",),
        faults=(KillWatcher,),
        operations={"create": 1, "foreign": 1},
        shape=_TWO,
    ),
    Bug(
        number="own",
        module="no_slow_claim",
        promises=("P3", "P5"),
        faults=(WipeNats,),
        operations={"create": 1},
        shape=_TWO,
        load=_BUSY,
    ),
    Bug(
        number="own",
        module="claim_without_lease",
        promises=("P4",),
        faults=(ExpireLeases,),
        operations={"create": 1},
        # Renewed every 3 s: for so long a processor does not know that its lease is gone.
        shape=Shape(processors=2, lease_seconds=30),
        load=_BUSY,
    ),
    Bug(
        number="own",
        module="reap_forgets_cancel",
        promises=("P7",),
        faults=(KillProcessor,),
        operations={"stubborn": 1},
        shape=Shape(processors=2, lease_seconds=2, cancel_grace_seconds=5),
        load=_CALM,
    ),
    Bug(
        number="own",
        module="unsorted_batches",
        promises=("P2",),
        faults=(DelayLink,),
        operations={"batch": 1},
        shape=_TWO,
        load={"workers": 6, "pause_ms": 500.0},
    ),
    Bug(
        number="own",
        module="position_without_open",
        promises=("P6",),
        faults=(HoldRows,),
        operations={"create": 12, "batch": 1},
        shape=_TWO,
    ),
    Bug(
        number="own",
        module="one_attempt_too_many",
        promises=("P8",),
        faults=(KillWatcher,),
        operations={"poison": 1},
        shape=_TWO,
        # Poison takes its process along, and what is left of the processors must be through with it in time.
        load={"workers": 2, "pause_ms": 1500.0},
    ),
    Bug(
        number="own",
        module="refusal_without_time",
        promises=("P9",),
        faults=(Overload,),
        operations={"create": 1},
        shape=_TWO,
    ),
    Bug(
        number="own",
        module="watch_leaves_task",
        promises=("P9",),
        faults=(KillWatcher,),
        operations={"watch": 1},
        shape=_TWO,
        measures_resources=True,
    ),
    Bug(
        number="own",
        module="watch_says_twice",
        promises=("P6",),
        faults=(KillWatcher,),
        operations={"watch": 1},
        shape=_TWO,
    ),
    Bug(
        number="own",
        module="no_tenant_filter_in_feeds",
        promises=("P10",),
        faults=(KillWatcher,),
        operations={"create": 1},
        shape=_TWO,
    ),
    Bug(
        number="own",
        module="no_tenant_filter_of_queues",
        promises=("P10",),
        faults=(KillWatcher,),
        operations={"create": 1, "foreign": 1},
        shape=_TWO,
    ),
)

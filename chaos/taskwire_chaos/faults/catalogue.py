"""Every fault of a campaign. `StickForGood` is left to the bug that it is aimed at: nobody would mend it."""

from taskwire_chaos.faults.clocks import ShiftClock
from taskwire_chaos.faults.crowd import FreezeWatcher, KillWatcher, Overload
from taskwire_chaos.faults.disks import FillNats, FillPostgres
from taskwire_chaos.faults.fault import Fault
from taskwire_chaos.faults.links import BlackHole, DelayDatabase, DelayLink, ResetLink, StallOneWay
from taskwire_chaos.faults.nats import CorruptNats, DeleteStream, FreezeNats, KillNats, RollBackNats, WipeNats
from taskwire_chaos.faults.postgres import (
    CrashPostgres,
    ExhaustConnections,
    ExpireLeases,
    FreezePostgres,
    HoldRows,
    TerminateBackends,
)
from taskwire_chaos.faults.processes import (
    DieAtFailpoint,
    FreezeGateway,
    FreezeProcessor,
    KillGateway,
    KillProcessor,
    StopService,
)
from taskwire_chaos.faults.sicknesses import DeafenProcessor, StickControl

FAULTS: tuple[type[Fault], ...] = (
    KillProcessor,
    KillGateway,
    StopService,
    FreezeProcessor,
    FreezeGateway,
    DieAtFailpoint,
    StickControl,
    DeafenProcessor,
    ShiftClock,
    CrashPostgres,
    FreezePostgres,
    TerminateBackends,
    ExhaustConnections,
    HoldRows,
    ExpireLeases,
    KillNats,
    WipeNats,
    RollBackNats,
    CorruptNats,
    FreezeNats,
    DeleteStream,
    FillNats,
    FillPostgres,
    ResetLink,
    BlackHole,
    StallOneWay,
    DelayLink,
    DelayDatabase,
    KillWatcher,
    FreezeWatcher,
    Overload,
)

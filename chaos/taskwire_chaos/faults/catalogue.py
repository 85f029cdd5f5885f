"""Every fault there is."""

from taskwire_chaos.faults.crowd import FreezeWatcher, KillWatcher
from taskwire_chaos.faults.fault import Fault
from taskwire_chaos.faults.links import BlackHole, DelayLink, ResetLink, StallOneWay
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

FAULTS: tuple[type[Fault], ...] = (
    KillProcessor,
    KillGateway,
    StopService,
    FreezeProcessor,
    FreezeGateway,
    DieAtFailpoint,
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
    ResetLink,
    BlackHole,
    StallOneWay,
    DelayLink,
    KillWatcher,
    FreezeWatcher,
)

"""What happens to servers that others stand in for: the leader of a NATS cluster, a Postgres with a standby."""

import asyncio
import signal
from typing import ClassVar

from taskwire_chaos.faults.fault import Fault
from taskwire_chaos.faults.postgres import POSTGRES
from taskwire_chaos.journal import PROMOTED, Phase
from taskwire_chaos.process_tree import signal_tree
from taskwire_chaos.site import is_running, start_again
from taskwire_chaos.standby import copy_to_standby, promote
from taskwire_chaos.stream_leader import leader_of
from taskwire_dev.nats import EmbeddedNats

STREAM = "TASKWIRE_RINGS"


class _OnACluster(Fault):
    """Something happens to servers of the NATS cluster."""

    def running(self) -> list[EmbeddedNats]:
        """Return the servers that run and are not taken."""
        return [node for node in self.site.nats_nodes if is_running(node) and node.name not in self.site.busy]

    async def leader(self) -> EmbeddedNats | None:
        """Return the server that leads the stream of rings, or None when it is taken or there is none."""
        leader = await leader_of(self.site.nats_nodes, STREAM)
        return leader if leader in self.running() else None


class KillLeader(_OnACluster):
    """SIGKILL to the server that leads the stream of rings, which comes back after some seconds, maybe empty."""

    name: ClassVar[str] = "kill leader"
    weight: ClassVar[int] = 6

    async def strike(self) -> None:
        """See `Fault`."""
        leader = await self.leader()
        if leader is None:
            return
        async with self.site.taking(leader.name):
            self.note(leader.name)
            await leader.stop(signal.SIGKILL)
            await asyncio.sleep(self.seconds(0.5, 6))
            if self.random.random() < 0.3:
                leader.wipe()
            await start_again(leader)


class FreezeLeader(_OnACluster):
    """SIGSTOP to the server that leads the stream of rings, for longer than the others wait for it."""

    name: ClassVar[str] = "freeze leader"
    weight: ClassVar[int] = 4

    async def strike(self) -> None:
        """See `Fault`."""
        leader = await self.leader()
        if leader is None:
            return
        async with self.site.taking(leader.name):
            self.note(leader.name)
            pid = leader.child.pid
            signal_tree(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(self.seconds(2, 12))
            finally:
                signal_tree(pid, signal.SIGCONT)


class LoseMajority(_OnACluster):
    """All servers but one are killed: there is no leader until another one is back."""

    name: ClassVar[str] = "lose majority"
    weight: ClassVar[int] = 2

    async def strike(self) -> None:
        """See `Fault`."""
        nodes = self.running()
        if len(nodes) < len(self.site.nats_nodes):
            return
        self.random.shuffle(nodes)
        self.site.busy |= {node.name for node in nodes}
        try:
            self.note()
            for node in nodes[1:]:
                await node.stop(signal.SIGKILL)
            await asyncio.sleep(self.seconds(1, 6))
            for node in nodes[1:]:
                await start_again(node)
        finally:
            self.site.busy -= {node.name for node in nodes}


class PromoteStandby(Fault):
    """The primary is killed for good and the synchronous standby takes its place; another standby is made."""

    name: ClassVar[str] = "promote standby"
    weight: ClassVar[int] = 4

    async def strike(self) -> None:
        """See `Fault`."""
        site = self.site
        if POSTGRES in site.busy or site.standby is None:
            return
        async with site.taking(POSTGRES):
            self.note()
            old, new = site.postgres, site.standby
            await old.child.stop([])
            await asyncio.sleep(self.seconds(0, 2))
            site.journal.write(Phase(name=PROMOTED))
            await promote(new)
            site.turn_to(new)
            site.standby = old
            await asyncio.sleep(self.seconds(0, 2))
            await copy_to_standby(new, old)


class FreezeStandby(Fault):
    """The standby stands still, and with it every commit."""

    name: ClassVar[str] = "freeze standby"
    weight: ClassVar[int] = 3

    async def strike(self) -> None:
        """See `Fault`."""
        if POSTGRES in self.site.busy or self.site.standby is None:
            return
        async with self.site.taking(POSTGRES):
            self.note()
            pid = self.site.standby.child.pid
            signal_tree(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(self.seconds(1, 12))
            finally:
                signal_tree(pid, signal.SIGCONT)


class LoseBoth(Fault):
    """The standby stands still, the primary is killed meanwhile, and the standby takes its place.

    What was acknowledged must be there: a commit that has not reached the standby must not be.
    """

    name: ClassVar[str] = "lose both"
    weight: ClassVar[int] = 3

    async def strike(self) -> None:
        """See `Fault`."""
        site = self.site
        if POSTGRES in site.busy or site.standby is None:
            return
        async with site.taking(POSTGRES):
            self.note()
            old, new = site.postgres, site.standby
            signal_tree(new.child.pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(self.seconds(1, 12))
                await old.child.stop([])
            finally:
                signal_tree(new.child.pid, signal.SIGCONT)
            site.journal.write(Phase(name=PROMOTED))
            await promote(new)
            site.turn_to(new)
            site.standby = old
            await copy_to_standby(new, old)

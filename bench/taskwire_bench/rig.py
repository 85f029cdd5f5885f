"""A site with services on it, ready to be measured."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from taskwire_bench.books import Audit, Books
from taskwire_bench.cpu import Usage
from taskwire_bench.generator import Generator
from taskwire_bench.load import orders, reports
from taskwire_bench.site import Site
from taskwire_bench.spread import Spread
from taskwire_dev.failure import tail_of
from taskwire_dev.stack import Stack
from taskwire_shared.domain.ids import floor_id

_LEAST_RATE = 100.0
"""Tasks per second. A run at less is given up."""
_PATIENCE_SECONDS = 60.0


class Run(Struct, frozen=True, kw_only=True):
    """One pass of tasks through everything."""

    tasks: int
    seconds: float
    """From the moment before the first create was sent to the last completion, by the clock of the machine."""
    create_seconds: float
    cpu: Mapping[str, float]
    """CPU seconds per 1,000 tasks by role."""
    audit: Audit

    @property
    def rate(self) -> float:
        """Return the tasks per second."""
        return self.tasks / self.seconds


class Rig:
    """Servers, services and the auditor of one database."""

    def __init__(self, site: Site, stack: Stack, books: Books, database_url: str) -> None:
        self.site = site
        self.stack = stack
        self.books = books
        self.database_url = database_url

    @classmethod
    @asynccontextmanager
    async def open(
        cls, site: Site, *, database: str = "bench", gateways: int = 1, processors: int = 1, **variables: str
    ) -> AsyncIterator["Rig"]:
        """Make a database and start services on it until the block ends."""
        url = await site.database(database)
        async with Books.open(url) as books, site.stack(f"{database}-logs", url, **variables) as stack:
            try:
                for _ in range(gateways):
                    await stack.gateway()
                for _ in range(processors):
                    await stack.processor()
                yield cls(site, stack, books, url)
            except Exception as error:
                # The folder with the logs is about to be deleted.
                for service in (*stack.gateways, *stack.processors):
                    error.add_note(f"the {service.name} logged last:\n{tail_of(service.log)}")
                raise

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return where the gateways serve."""
        return tuple(service.ready.grpc for service in self.stack.gateways)

    def roles(self, **more: int) -> dict[str, list[int]]:
        """Return the processes by role; `client=pid` adds one."""
        return {
            **{role: [pid] for role, pid in more.items()},
            "gateway": [service.child.pid for service in self.stack.gateways if service.is_running],
            "processor": [service.child.pid for service in self.stack.processors if service.is_running],
            "postgres": [self.site.postgres.child.pid],
            "nats": [server.child.pid for server in self.site.nats],
        }

    async def pass_through(self, tasks: int, *, clear: bool = True, **wishes: object) -> Run:
        """Create tasks in batches, wait until all have succeeded, and make sure that they have.

        Raises:
            Dishonest: Not every task has succeeded with its whole history.
        """
        if clear:
            await self.books.clear()
        since = this_moment()
        order = orders.Batches(addresses=self.addresses, tasks=tasks, **wishes)  # type: ignore[arg-type]
        async with Generator.start(order, self.site.folder) as generator:
            await generator.reached("ready")
            usage = Usage(self.roles(client=generator.pid))
            generator.go()
            created = await generator.report(reports.Created)
            await self.books.wait_until_done(patience_seconds=_PATIENCE_SECONDS + tasks / _LEAST_RATE)
            used = usage.since()
        audit = await self.books.audit(tasks, since=since)
        return Run(
            tasks=tasks,
            seconds=audit.last_finished.timestamp() - created.first_create_ns / 1e9,
            create_seconds=created.seconds,
            cpu={role: seconds / tasks * 1000 for role, seconds in used.items()},
            audit=audit,
        )


def this_moment() -> UUID:
    """Return the least id that can be made from now on."""
    return floor_id(datetime.fromtimestamp(time.time()).astimezone())


def cpu_of(runs: Sequence[Run]) -> dict[str, Spread]:
    """Return the CPU seconds per 1,000 tasks of several runs by role."""
    return {role: Spread.of(run.cpu[role] for run in runs) for role in runs[0].cpu}

"""Gateways and processors over given servers: for tests, measurements and trials by fire."""

import asyncio
import itertools
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from taskwire_dev.ports import LOOPBACK
from taskwire_dev.service import Service

_ANY_PORT = f"{LOOPBACK}:0"


class Stack:
    """Services that share their settings; leaving stops those that still run, the processors first.

    `environment` holds the TASKWIRE_ variables of every service and whatever else they shall see; a variable given for
    one service goes before it. Gateways and metrics take free ports unless told otherwise.
    """

    def __init__(self, environment: Mapping[str, str], *, folder: Path, grace: float = 5.0) -> None:
        self._environment = {
            "TASKWIRE_LISTEN": _ANY_PORT,
            "TASKWIRE_METRICS_LISTEN": _ANY_PORT,
            "TASKWIRE_GRACE_SECONDS": f"{grace:g}",
            **environment,
        }
        self._folder = folder
        self._grace = grace
        self._numbers = itertools.count(1)
        self.gateways: list[Service] = []
        self.processors: list[Service] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def gateway(self, **variables: str) -> Service:
        """Start one more gateway; `listen="127.0.0.1:50051"` sets TASKWIRE_LISTEN."""
        return await self._start("gateway", self.gateways, variables)

    async def processor(self, **variables: str) -> Service:
        """Start one more processor; `concurrency="4"` sets TASKWIRE_CONCURRENCY."""
        return await self._start("processor", self.processors, variables)

    async def stop(self) -> None:
        """Stop every service that still runs, the processors first."""
        for services in (self.processors, self.gateways):
            running = [service for service in services if service.is_running]
            for service in running:
                # A frozen one would not hear that it shall stop.
                service.thaw()
            await asyncio.gather(*(service.stop() for service in running))

    async def _start(self, kind: str, among: list[Service], variables: Mapping[str, str]) -> Service:
        name = f"{kind}-{next(self._numbers)}"
        own = {f"TASKWIRE_{variable.upper()}": value for variable, value in variables.items()}
        environment = {**self._environment, **own}
        log = self._folder / f"{name}.log"
        service = Service(kind, name, environment=environment, log=log, grace=self._grace)
        among.append(service)
        await service.start()
        return service

"""One gateway or processor as a process of its own."""

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from taskwire_dev.children import Child, Command, Stage, describe_end, spawn, until
from taskwire_dev.failure import StartFailed, tail_of

_START_SECONDS = 60.0
"""A start takes 1 s on an idle machine, 10 s on one that does three times what it can, and more from a cold disk."""
SLACK_SECONDS = 2.0
"""Between the grace that a service has for its work and the moment it is killed."""
LOG_BYTES_MAX = 16 * 1024**2
"""A longer log is moved aside at the next start."""

_STARTS_MAX = 3
"""How often other addresses are tried when somebody takes those just found free."""

MODULES = {"gateway": "taskwire_gateway", "processor": "taskwire_processor"}


class Ready(Struct, frozen=True):
    """What a service says about itself when it serves: `taskwire gateway ready grpc=HOST:PORT metrics=HOST:PORT`."""

    facts: Mapping[str, str]

    @property
    def grpc(self) -> str:
        """Return the address of a gateway."""
        return self.facts["grpc"]

    @property
    def metrics(self) -> str:
        """Return the address of the metrics, empty where they are off."""
        return self.facts.get("metrics", "")

    @property
    def id(self) -> str:
        """Return the id of a processor, as in `Task.processor`."""
        return self.facts["id"]


class Service:
    """A gateway or a processor that can be stopped, killed, frozen and started again. The owner stops it."""

    def __init__(
        self,
        kind: str,
        name: str,
        *,
        environment: Mapping[str, str],
        log: Path,
        grace: float,
        move: Callable[[Mapping[str, str], str], Mapping[str, str]] = lambda environment, why: {},  # noqa: ARG005
    ) -> None:
        """Describe a service.

        Args:
            kind: "gateway" or "processor".
            name: What it is called in messages.
            environment: All of its environment variables.
            log: Where its output goes, at the end.
            grace: For how many seconds it may finish its work when it is stopped.
            move: Is asked for other variables when it does not start, and told why; with none, it is a failure.
        """
        self.kind = kind
        self.name = name
        self.environment = dict(environment)
        self.log = log
        self.grace = grace
        self._move = move
        self._child: Child | None = None
        self._ready: Ready | None = None
        self._log_start = 0

    @property
    def ready(self) -> Ready:
        """Return what the service said when it last became ready."""
        if self._ready is None:
            raise RuntimeError(f"The {self.name} has not been ready.")
        return self._ready

    @property
    def child(self) -> Child:
        """Return its process, which may have ended."""
        if self._child is None:
            raise RuntimeError(f"The {self.name} has not been started.")
        return self._child

    @property
    def is_running(self) -> bool:
        """Tell whether its process is there."""
        return self._child is not None and self._child.exit_code is None

    async def start(self) -> Ready:
        """Start the process and wait until it serves. Raises StartFailed."""
        for _ in range(_STARTS_MAX - 1):
            try:
                return await self._start()
            except StartFailed as failure:
                # Once it has been ready, others know where it is.
                moved = {} if self._ready else self._move(self.environment, str(failure))
                if not moved:
                    raise
                self.environment |= moved
        return await self._start()

    async def stop(self) -> int | None:
        """Ask it to stop and wait; kill it some seconds after its grace. Return its exit code, if it was started."""
        if self._child is None:
            return None
        return await self._child.stop([Stage(signal.SIGTERM, self.grace + SLACK_SECONDS)])

    async def kill(self) -> None:
        """End it at once, without a chance to finish anything."""
        await self.child.stop([Stage(signal.SIGKILL, SLACK_SECONDS)])

    async def restart(self) -> Ready:
        """Stop it and start it again."""
        await self.stop()
        return await self.start()

    def freeze(self) -> None:
        """Stop its main process from running, as if the machine hung."""
        self.child.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it run again."""
        self.child.send(signal.SIGCONT)

    async def _start(self) -> Ready:
        _rotate(self.log)
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._child = child = await spawn(self._command())
        ready: Ready | None = None
        try:
            async with asyncio.timeout(_START_SECONDS):
                await until(lambda: child.exit_code is not None or self._said_ready())
            ready = self._said_ready()
        except TimeoutError:
            raise self._did_not(f"is not ready after {_START_SECONDS:.0f} s") from None
        finally:
            if ready is None:
                await child.stop([])
        if ready is None:
            raise self._did_not(f"{describe_end(child.exit_code)} before it was ready")
        self._ready = ready
        return ready

    def _command(self) -> Command:
        return Command(
            program=[sys.executable, "-m", MODULES[self.kind]],
            environment=self.environment,
            # Where the user is: a handler module there can be loaded by its name.
            folder=Path.cwd(),
            log=self.log,
            # What it was doing will be taken back by the sweeper, and its port must be free for the next start.
            death_signal=signal.SIGKILL,
        )

    def _said_ready(self) -> Ready | None:
        start = f"taskwire {self.kind} ready "
        with suppress(OSError), self.log.open("rb") as file:
            file.seek(self._log_start)
            for line in file.read().decode(errors="replace").splitlines(keepends=True):
                if line.startswith(start) and line.endswith("\n"):
                    return Ready(dict(word.split("=", 1) for word in line.removeprefix(start).split()))
        return None

    def _did_not(self, what: str) -> StartFailed:
        return StartFailed(
            f"The {self.name} {what}. Its log {self.log} ends with:\n{tail_of(self.log, self._log_start)}"
        )


def _rotate(log: Path) -> None:
    with suppress(OSError):
        if log.stat().st_size > LOG_BYTES_MAX:
            log.rename(log.with_name(f"{log.name}.1"))

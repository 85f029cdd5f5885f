"""The runners of this processor, and which of them runs what."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import Protocol, Self

from taskwire_processor.held import Held
from taskwire_processor.runner import wire
from taskwire_processor.runner_process import RunnerFailed, RunnerProcess
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event
from taskwire_shared.telemetry.metrics import ProcessorMetrics

RESTART_PAUSE_SECONDS = 1.0
"""Before a runner is replaced that did not live longer than this, so that one which cannot live costs little."""

START_FAILURES_MAX = 5
"""In a row, before it is given up: the handlers on the disk have changed, or the machine is out of something."""

log = logs.get(__name__)


class RunnerListener(Protocol):
    """Hears what becomes of attempts."""

    def heard(self, runner: RunnerProcess, messages: Sequence[wire.Ended | wire.Reported]) -> None:
        """Take what a runner said."""

    def died(self, runner: RunnerProcess, exit_code: int) -> None:
        """Take note that a runner is gone, with everything that it still held."""


class Runners:
    """Keeps shared runners alive, and starts runners for attempts that want one to themselves, up to a limit.

    Entered, it has one runner at least and knows its handlers. On leaving, all runners end. Who may want to give up
    while the handlers are loaded awaits `load` first, and then enters at once, or else awaits `unload`.
    """

    def __init__(
        self, setup: wire.Setup, listener: RunnerListener, metrics: ProcessorMetrics, *, shared: int, alone_max: int
    ) -> None:
        self.offers: tuple[wire.Offer, ...] = ()
        self.on_room: Callable[[], None] = _nobody
        """Called whenever a shared runner has come, or one of either kind has gone."""
        self._setup = setup
        self._listener = listener
        self._metrics = metrics
        self._shared_count = shared
        self._alone_max = alone_max
        self._group = asyncio.TaskGroup()
        self._keepers: list[asyncio.Task[None]] = []
        self._shared: list[RunnerProcess] = []
        self._waiting: deque[Held] = deque()
        self._alone: set[RunnerProcess] = set()
        self._alone_starting = 0
        self._idle: list[RunnerProcess] = []
        self._alone_waiting: deque[Held] = deque()
        self._alone_types: frozenset[str] = frozenset()
        self._first: RunnerProcess | None = None

    async def load(self) -> None:
        """Start the first runner and learn from it what handlers there are. Cancelled, it leaves none behind.

        Raises HandlersUnloadable or RunnerFailed.
        """
        self._first, self.offers = await RunnerProcess.start(self._setup, self._receive)
        self._alone_types = frozenset(offer.type for offer in self.offers if offer.alone)

    async def unload(self) -> None:
        """End the runner that `load` has started, if there is one that nobody keeps."""
        first, self._first = self._first, None
        if first is not None:
            first.kill()
            await asyncio.shield(first.ended())

    async def __aenter__(self) -> Self:
        """Keep runners from now on. Raises what `load` does, unless that is done."""
        if self._first is None:
            await self.load()
        await self._group.__aenter__()
        first, self._first = self._first, None
        self._spawn_keeper(first)
        for _ in range(self._shared_count - 1):
            self._spawn_keeper(None)
        # The keepers begin: from here on each sees its runner off, even if it is cancelled at once.
        await asyncio.sleep(0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all runners and wait for that. Raises RunnerFailed, in a group, when they could not be replaced."""
        for keeper in self._keepers:
            keeper.cancel()
        await self._group.__aexit__(kind, error, trace)

    @property
    def is_ready(self) -> bool:
        """Tell whether there is a runner for new attempts."""
        return bool(self._shared)

    @property
    def count(self) -> int:
        """Return how many runners there are."""
        return len(self._shared) + len(self._alone)

    @property
    def shared_types(self) -> list[str]:
        """Return the types that share a runner."""
        return [offer.type for offer in self.offers if not offer.alone]

    @property
    def alone_types(self) -> list[str]:
        """Return the types whose attempts want a runner each."""
        return [offer.type for offer in self.offers if offer.alone]

    @property
    def alone_free(self) -> int:
        """Return how many more attempts can have a runner to themselves."""
        busy = len(self._alone) - len(self._idle) + len(self._alone_waiting)
        return max(0, self._alone_max - busy)

    def run(self, taken: Iterable[Held]) -> None:
        """Hand each attempt to a runner, now or as soon as there is one."""
        only = self._shared[0] if len(self._shared) == 1 else None
        for held in taken:
            if held.task.runs_alone or held.task.type in self._alone_types:
                self._alone_waiting.append(held)
            elif self._shared:
                _hand_over(held, only or self._least_loaded())
            else:
                self._waiting.append(held)
        if self._alone_waiting:
            self._hand_out_alone()

    def withdraw(self, held: Held) -> None:
        """Forget an attempt that has not been handed to a runner yet."""
        for line in (self._waiting, self._alone_waiting):
            with suppress(ValueError):
                line.remove(held)

    def kill(self, runner: RunnerProcess) -> None:
        """End a runner by force. The listener hears of its death as soon as it is gone."""
        log.warning(Event.RUNNER_KILLED, pid=runner.pid, held=len(runner.held))
        self._metrics.runner_kills.inc()
        self._retire(runner)
        runner.kill()

    def kill_all(self) -> None:
        """End every runner that holds anything."""
        for runner in [*self._shared, *self._alone]:
            if runner.held:
                self.kill(runner)

    def _least_loaded(self) -> RunnerProcess:
        return min(self._shared, key=lambda runner: len(runner.held))

    def _receive(self, runner: RunnerProcess, messages: Sequence[wire.Ended | wire.Reported]) -> None:
        self._listener.heard(runner, messages)
        if runner in self._alone and not runner.held and runner not in self._idle and not runner.was_killed:
            self._idle.append(runner)
            self._hand_out_alone()

    def _spawn_keeper(self, runner: RunnerProcess | None) -> None:
        self._keepers.append(self._group.create_task(self._keep_shared(runner)))

    async def _keep_shared(self, runner: RunnerProcess | None) -> None:
        loop = asyncio.get_running_loop()
        while True:
            runner = runner or await self._start()
            started_at = loop.time()
            self._shared.append(runner)
            self.on_room()
            waiting, self._waiting = self._waiting, deque()
            self.run(waiting)
            await self._see_off(runner)
            runner = None
            if loop.time() - started_at < RESTART_PAUSE_SECONDS:
                await asyncio.sleep(RESTART_PAUSE_SECONDS)

    async def _keep_alone(self) -> None:
        try:
            runner = await self._start()
        finally:
            self._alone_starting -= 1
        self._alone.add(runner)
        self._idle.append(runner)
        self._hand_out_alone()
        await self._see_off(runner)
        self._hand_out_alone()

    async def _start(self) -> RunnerProcess:
        for failures in count(1):
            try:
                runner, _ = await RunnerProcess.start(self._setup, self._receive)
            except (RunnerFailed, OSError) as error:
                if failures >= START_FAILURES_MAX:
                    # A processor that lives and can run nothing is worse than one that is gone.
                    raise
                log.error(Event.RUNNER_DIED, error=str(error))
                await asyncio.sleep(RESTART_PAUSE_SECONDS)
            else:
                log.info(Event.RUNNER_STARTED, pid=runner.pid)
                return runner
        raise AssertionError("counting does not end")

    async def _see_off(self, runner: RunnerProcess) -> None:
        try:
            await runner.gone()
            # It may be a while until it has ended altogether.
            self._retire(runner)
            exit_code = await runner.ended()
        except asyncio.CancelledError:
            runner.close()
            exit_code = await runner.ended()
            raise
        finally:
            self._retire(runner)
        if not runner.was_killed:
            log.warning(Event.RUNNER_DIED, pid=runner.pid, exit_code=exit_code, held=len(runner.held))
            self._metrics.runner_deaths.inc()
        self._listener.died(runner, exit_code)
        self.on_room()

    def _retire(self, runner: RunnerProcess) -> None:
        self._alone.discard(runner)
        for line in (self._shared, self._idle):
            if runner in line:
                line.remove(runner)

    def _hand_out_alone(self) -> None:
        while self._alone_waiting and self._idle:
            _hand_over(self._alone_waiting.popleft(), self._idle.pop())
        room = self._alone_max - len(self._alone) - self._alone_starting
        wanted = len(self._alone_waiting) - self._alone_starting
        for _ in range(min(room, wanted)):
            self._alone_starting += 1
            self._keepers.append(self._group.create_task(self._keep_alone()))
        self._keepers = [keeper for keeper in self._keepers if not keeper.done()]


def _nobody() -> None:
    """Nobody waits for runners."""


def _hand_over(held: Held, runner: RunnerProcess) -> None:
    held.runner = runner
    runner.held[held.key] = held
    task = held.task
    payload, task.input = task.input, None
    runner.send(
        wire.Start(
            held.key,
            str(task.id),
            task.attempt,
            task.attempt_count,
            task.queue,
            task.type,
            task.created_at,
            task.started_at,
            None if payload is None else payload.data,
            payload is not None and payload.is_text,
            "" if payload is None else payload.content_type,
        )
    )

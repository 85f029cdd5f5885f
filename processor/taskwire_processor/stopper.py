"""Ends attempts that must not go on: first a word to the handler, then, after the grace, the end of its process."""

import asyncio
from collections.abc import Sequence
from math import inf

from taskwire_processor.attempts import Attempts
from taskwire_processor.held import Held, StopReason
from taskwire_processor.runner import wire
from taskwire_processor.runners import Runners
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

LOOK_SECONDS = 0.05
"""How often deadlines are looked at: the precision of attempt timeouts and of the grace. One look over the attempts
that have a deadline costs less than a timer for each."""

log = logs.get(__name__)


class Stopper:
    """Watches deadlines: of attempts that may run only so long, and of those that were told to stop."""

    def __init__(self, attempts: Attempts, runners: Runners, *, grace_seconds: float) -> None:
        self._attempts = attempts
        self._runners = runners
        self._grace_seconds = grace_seconds
        self._watched: dict[int, Held] = {}

    def limit(self, taken: Sequence[Held]) -> None:
        """Watch that attempts end within their timeouts, where they have one."""
        for held in taken:
            timeout_ms = held.task.retry_policy.attempt_timeout_ms
            if timeout_ms is not None:
                self._watch(held, timeout_ms / 1000)

    def stop(self, held: Held, reason: StopReason) -> None:
        """Tell a handler to stop, and end its process if it has not stopped when the grace is over."""
        if held.stop is not None:
            # It knows already. That the caller gave up on it, or that it is not ours any more, changes what is stored.
            if reason in {StopReason.CANCELLED, StopReason.LOST}:
                held.stop = reason
            return
        held.stop = reason
        if held.runner is None:
            self._runners.withdraw(held)
            self._attempts.give_up(held)
            return
        held.runner.send(wire.Stop(held.key))
        self._watch(held, self._grace_seconds)

    async def run(self) -> None:
        """Look at the deadlines until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._look(loop.time())

    def _watch(self, held: Held, seconds: float) -> None:
        held.deadline = asyncio.get_running_loop().time() + seconds
        self._watched[held.key] = held

    def _look(self, now: float) -> None:
        for held in list(self._watched.values()):
            if held.is_over:
                del self._watched[held.key]
            elif held.deadline <= now:
                self._act(held)

    def _act(self, held: Held) -> None:
        if held.runner is None and held.stop is None:
            # No runner was free for it in all that time: not its fault.
            self.stop(held, StopReason.DRAINED)
        elif held.stop is None:
            log.info(Event.ATTEMPT_TIMED_OUT, task_id=str(held.task.id), attempt=held.task.attempt)
            self.stop(held, StopReason.TIMED_OUT)
        elif held.runner is not None:
            held.deadline = inf
            self._runners.kill(held.runner)

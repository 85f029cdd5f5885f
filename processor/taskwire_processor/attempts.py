"""The attempts that this processor holds, from their claim to their outcome."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Protocol

from taskwire_processor.held import Held, StopReason
from taskwire_processor.runner import wire
from taskwire_processor.runner_process import RunnerProcess
from taskwire_processor.slots import Slots
from taskwire_processor.verdict import Judge
from taskwire_shared.domain.outcome import Fence, Outcome
from taskwire_shared.domain.task import ClaimedTask


class OutcomeTaker(Protocol):
    """Takes care that outcomes get stored."""

    def add(self, outcome: Outcome, held: Held) -> None:
        """Take the outcome of an attempt."""

    def report(self, fence: Fence, fraction: float, message: str) -> None:
        """Take the newest progress of an attempt."""


class Attempts:
    """Knows every attempt in hand, and turns what runners say into outcomes."""

    def __init__(self, slots: Slots, judge: Judge, outcomes: OutcomeTaker) -> None:
        self._slots = slots
        self._judge = judge
        self._outcomes = outcomes
        self._clock: Callable[[], float] = asyncio.get_running_loop().time
        self._keys = count()
        self._held: dict[Fence, Held] = {}
        """By task and attempt: a task that was taken away may come back while its lost attempt still runs."""
        self._emptied = asyncio.Event()
        self._emptied.set()

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Held]:
        return iter(list(self._held.values()))

    def find(self, fence: Fence) -> Held | None:
        """Return the attempt that `fence` names, if it is in hand."""
        return self._held.get(fence)

    async def emptied(self) -> None:
        """Wait until nothing is in hand."""
        await self._emptied.wait()

    def hold(self, tasks: Sequence[ClaimedTask]) -> list[Held]:
        """Take attempts in hand. Their slots have been taken by whoever claimed them."""
        now = self._clock()
        taken = [Held.of(next(self._keys), task, now) for task in tasks]
        self._held.update([(held.fence, held) for held in taken])
        self._emptied.clear()
        return taken

    def heard(self, runner: RunnerProcess, messages: Sequence[wire.Ended | wire.Reported]) -> None:
        """Take what a runner said."""
        over = []
        for message in messages:
            if isinstance(message, wire.Reported):
                self._hear_report(runner, message)
                continue
            held = runner.held.pop(message.key, None)
            if held is not None:
                over.append((held, self._judge.ended(held, message)))
        self._end(over)

    def died(self, runner: RunnerProcess, exit_code: int) -> None:
        """Let go of everything that a runner held when it ended."""
        lost, runner.held = runner.held, {}
        if runner.was_killed:
            self._end([(held, self._judge.stopped(held)) for held in lost.values()])
        else:
            self._end([(held, self._judge.runner_died(held, exit_code)) for held in lost.values()])

    def give_up(self, held: Held) -> None:
        """Let go of an attempt that no runner has."""
        self._end([(held, self._judge.stopped(held))])

    def _hear_report(self, runner: RunnerProcess, report: wire.Reported) -> None:
        held = runner.held.get(report.key)
        if held is not None and held.stop is not StopReason.LOST:
            self._outcomes.report(held.fence, report.fraction, report.message)

    def _end(self, over: Sequence[tuple[Held, Outcome | None]]) -> None:
        now, ended = self._clock(), 0
        for held, outcome in over:
            if held.is_over:
                continue
            held.is_over = True
            held.ended_at = now
            ended += 1
            del self._held[held.fence]
            if outcome is not None:
                self._outcomes.add(outcome, held)
        if not self._held:
            self._emptied.set()
        self._slots.give(ended)

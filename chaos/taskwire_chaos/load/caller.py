"""Makes calls and writes down what they were and what came of them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random

from taskwire.client import Client
from taskwire.errors import (
    InternalError,
    InvalidFields,
    NotAllowed,
    NotFound,
    RetryLater,
    TaskConflict,
    TaskwireError,
    WrongState,
)
from taskwire.ids import fresh_task_id
from taskwire.task import TaskInfo
from taskwire_chaos.journal import Call, Journal, Reply, Verdict

Act = Callable[[Client], Awaitable[Sequence[TaskInfo]]]

_REFUSALS = (InvalidFields, NotAllowed, NotFound, TaskConflict, WrongState)
HASTY_MS_MAX = 50.0
GIVEN_UP = "GIVEN_UP"


class Caller:
    """Calls one of several gateways at random."""

    def __init__(self, journal: Journal, clients: Sequence[Client], random: Random, *, hasty: float) -> None:
        self._journal = journal
        self._clients = clients
        self._random = random
        self._hasty = hasty

    async def call(self, call: Call, act: Act, *, patient: bool = False) -> Reply:
        """Make a call. With `patient` it is never given up early."""
        self._journal.write(call)
        seconds = None
        if not patient and self._random.random() < self._hasty:
            seconds = self._random.uniform(0.001, HASTY_MS_MAX / 1000)
        reply = await self._answer(call.op, act, seconds)
        self._journal.write(reply)
        return reply

    async def _answer(self, op: str, act: Act, seconds: float | None) -> Reply:
        try:
            async with asyncio.timeout(seconds):
                found = await act(self._random.choice(self._clients))
        except TimeoutError:
            return Reply(op=op, verdict="unknown", reason=GIVEN_UP)
        except TaskwireError as error:
            return failed_reply(op, error)
        return Reply(
            op=op,
            verdict="ok",
            tasks=tuple(task.id for task in found),
            states=tuple(int(task.state) for task in found),
            versions=tuple(task.version for task in found),
        )


def fresh_op() -> str:
    """Return a name for one more call."""
    return fresh_task_id()


def failed_reply(op: str, error: TaskwireError) -> Reply:
    """Return the record of a call that failed."""
    return Reply(
        op=op,
        verdict=_verdict(error),
        reason=error.reason or error.code.name,
        has_retry_info=isinstance(error, RetryLater) and error.retry_after_seconds is not None,
    )


def _verdict(error: TaskwireError) -> Verdict:
    return "fail" if isinstance(error, _REFUSALS) and not isinstance(error, InternalError) else "unknown"

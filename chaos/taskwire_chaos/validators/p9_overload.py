"""P9: refusals say when to come back, nothing falls over by itself, and nothing is left lying about."""

import signal
from collections.abc import Iterator

from taskwire_chaos.history import History
from taskwire_chaos.journal import Call, Exited, Idle, Reply

_REFUSALS = frozenset({"QUEUE_FULL", "OVERLOADED", "TOO_MANY_WATCHES"})
_FAULTS = frozenset({"INTERNAL", "UNKNOWN", "UNIMPLEMENTED", "DATA_LOSS"})


def check(history: History) -> Iterator[str]:
    """Give refusals without a hint, internal errors, services that gave up, and transactions that were left open."""
    methods = {call.op: call.method for call in history.all(Call)}
    for reply in history.all(Reply):
        if reply.reason in _REFUSALS and not reply.has_retry_info:
            yield f"a {methods[reply.op]} was refused with {reply.reason}, and without a time to come back"
        if reply.reason in _FAULTS:
            yield f"a {methods[reply.op]} was answered with {reply.reason}"
    for idle in history.all(Idle):
        yield f"a connection of {idle.connection} was left inside a transaction"
    for exited in history.all(Exited):
        # A failpoint is a SIGKILL by its own hand.
        if exited.exit_code != -signal.SIGKILL:
            yield f"the {exited.service} ended by itself with {exited.exit_code}"

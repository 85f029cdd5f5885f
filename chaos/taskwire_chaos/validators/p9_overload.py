"""P9: refusals say when to come back, nothing falls over by itself, and nothing is left lying about."""

import signal
from collections.abc import Iterator

from taskwire_chaos.counts import REFUSALS
from taskwire_chaos.history import History
from taskwire_chaos.journal import Exited, Idle

_FAULTS = frozenset({"INTERNAL", "UNKNOWN", "UNIMPLEMENTED", "DATA_LOSS"})


def check(history: History) -> Iterator[str]:
    """Give refusals without a hint, internal errors, services that gave up, and transactions that were left open."""
    for call, reply in history.calls():
        if reply is None:
            continue
        if reply.reason in REFUSALS and not reply.has_retry_info:
            yield f"a {call.method} was refused with {reply.reason}, and without a time to come back"
        if reply.reason in _FAULTS:
            yield f"a {call.method} was answered with {reply.reason}"
    for idle in history.all(Idle):
        yield f"a connection of {idle.connection} was left inside a transaction"
    for exited in history.all(Exited):
        # A failpoint is a SIGKILL by its own hand.
        if exited.exit_code != -signal.SIGKILL:
            yield f"the {exited.service} ended by itself with {exited.exit_code}"

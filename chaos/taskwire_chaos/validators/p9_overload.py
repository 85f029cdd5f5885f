"""P9: refusals say when to come back, nothing answers with a fault of its own, and nothing is left lying about."""

from collections.abc import Iterator

from taskwire_chaos.history import History
from taskwire_chaos.journal import Call, Idle, Reply

_REFUSALS = frozenset({"QUEUE_FULL", "OVERLOADED", "TOO_MANY_WATCHES"})
_FAULTS = frozenset({"INTERNAL", "UNKNOWN", "UNIMPLEMENTED", "DATA_LOSS"})


def check(history: History) -> Iterator[str]:
    """Give refusals without a hint, internal errors, and transactions that were left open."""
    methods = {call.op: call.method for call in history.all(Call)}
    for reply in history.all(Reply):
        if reply.reason in _REFUSALS and not reply.has_retry_info:
            yield f"a {methods[reply.op]} was refused with {reply.reason}, and without a time to come back"
        if reply.reason in _FAULTS:
            yield f"a {methods[reply.op]} was answered with {reply.reason}"
    for idle in history.all(Idle):
        yield f"a connection of {idle.connection} was left inside a transaction"

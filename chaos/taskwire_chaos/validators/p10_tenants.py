"""P10: tenants do not see each other."""

from collections.abc import Iterator

from taskwire_chaos.history import History
from taskwire_chaos.journal import Call, Reply


def check(history: History) -> Iterator[str]:
    """Give every answer that a foreign caller has got."""
    methods = {call.op: call.method for call in history.all(Call) if call.method.startswith("foreign.")}
    for reply in history.all(Reply):
        method = methods.get(reply.op)
        if method is not None and reply.verdict == "ok" and (reply.tasks or method != "foreign.list"):
            yield f"a {method} of another tenant was answered with {reply.tasks or reply.reason}"

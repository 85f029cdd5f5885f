"""P10: tenants do not see each other."""

from collections.abc import Iterator

from taskwire_chaos.history import History
from taskwire_chaos.load.foreigner import LISTS


def check(history: History) -> Iterator[str]:
    """Give every answer that a foreign caller has got."""
    for call, reply in history.calls():
        if not call.method.startswith("foreign.") or reply is None or reply.verdict != "ok":
            continue
        if reply.tasks or call.method not in LISTS:
            yield f"a {call.method} of another tenant was answered with {reply.tasks or reply.reason}"

"""S1: a success is taken from anybody, not only from the attempt that holds the task."""

from taskwire_chaos.planted.replacing import replace_text


def plant() -> None:
    """See the module."""
    from taskwire_shared.store import completions

    guard = "t.processor = $1 AND t.attempt = o.attempt"
    replace_text(completions, "SUCCEED", guard, "$1::uuid IS NOT NULL")

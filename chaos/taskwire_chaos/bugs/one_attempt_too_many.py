"""A task is given up after one attempt more than it may have."""

from taskwire_chaos.planted.replacing import replace_text


def plant() -> None:
    """See the module."""
    from taskwire_shared.store import completions, reaps

    for owner, name in ((completions, "SETTLE"), (reaps, "TAKE_BACK")):
        replace_text(owner, name, "attempts >= coalesce(max_attempts", "attempts > coalesce(max_attempts")

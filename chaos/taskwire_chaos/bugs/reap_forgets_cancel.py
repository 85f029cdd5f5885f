"""What is taken back from a dead processor is pending again, although its cancel was asked for."""

from taskwire_chaos.planted.replacing import replace_text


def plant() -> None:
    """See the module."""
    from taskwire_shared.store import reaps

    replace_text(reaps, "TAKE_BACK", "WHEN cancel_requested_at IS NOT NULL THEN 6", "WHEN false THEN 6")

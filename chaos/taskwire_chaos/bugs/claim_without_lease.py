"""A processor claims without a look at its own lease."""

from taskwire_chaos.planted.replacing import replace_text


def plant() -> None:
    """See the module."""
    from taskwire_shared.store import claims

    for statement in ("CLAIM", "LOCK_WAITING"):
        replace_text(claims, statement, "p.lease_until > clock_timestamp()", "true")

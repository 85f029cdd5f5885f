"""S9: an attempt counts when it ends and not when it is claimed, so that one that dies does not count."""

from taskwire_chaos.planted.replacing import replace_text


def plant() -> None:
    """See the module."""
    from taskwire_shared.store import claims, completions

    replace_text(claims, "CLAIM", "attempt = t.attempt + 1", "attempt = greatest(t.attempt, t.excused + 1)")
    counted = "version = t.version + 1, attempt = t.attempt + CASE WHEN v.wish IN (3, 4) THEN 1 ELSE 0 END,"
    replace_text(completions, "SETTLE", "version = t.version + 1,", counted)

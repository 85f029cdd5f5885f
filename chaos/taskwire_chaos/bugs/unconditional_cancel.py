"""S10: a cancel does not look at what the task is."""

from taskwire_chaos.planted.replacing import replace_text


def plant() -> None:
    """See the module."""
    from taskwire_shared.store import cancels

    replace_text(cancels, "CANCEL", " AND t.state <= 3 AND t.cancel_requested_at IS NULL", "")
    replace_text(cancels, "CANCEL", "state = CASE t.state WHEN 3 THEN 3 ELSE 6 END", "state = 6")
    replace_text(cancels, "CANCEL", "CASE t.state WHEN 3 THEN NULL ELSE", "CASE t.state WHEN 0 THEN NULL ELSE")
    cleared = "due_at = NULL, output = NULL, failure = NULL"
    replace_text(cancels, "CANCEL", "due_at = CASE t.state WHEN 3 THEN t.due_at END", cleared)

"""S15: one method reads a task without looking whose it is."""

from taskwire_chaos.planted.replacing import replace_text


def plant() -> None:
    """See the module."""
    from taskwire_shared.store import reads

    for statement in ("GET_TASK", "GET_TASK_FULL"):
        replace_text(reads, statement, "t.tenant = $2", "$2::text IS NOT NULL")

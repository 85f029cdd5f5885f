"""Queues are shown to whoever asks."""

from taskwire_chaos.planted.replacing import replace_text


def plant() -> None:
    """See the module."""
    from taskwire_shared.store import queues

    for statement in ("GET_QUEUE", "LIST_QUEUES"):
        replace_text(queues, statement, "tenant = $1", "$1::text IS NOT NULL")

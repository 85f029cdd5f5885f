"""Who is refused because a queue is full is not told when to come back."""

from taskwire_chaos.planted.replacing import replace


def plant() -> None:
    """See the module."""
    from taskwire_gateway import rpc_errors

    replace(rpc_errors, "_retry_info", lambda _: lambda _: [])

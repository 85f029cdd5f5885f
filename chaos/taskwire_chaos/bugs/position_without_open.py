"""The position of a reader is one number: the transactions that were open when it was taken are forgotten."""

from taskwire_chaos.planted.replacing import replace


def plant() -> None:
    """See the module."""
    from taskwire_shared.store.positions import Position

    def of_snapshot(snapshot: str) -> Position:
        return Position(int(snapshot.split(":")[1]))

    replace(Position, "of_snapshot", lambda _: staticmethod(of_snapshot))

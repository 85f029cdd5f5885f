"""How many more attempts this processor can take on."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Slots:
    """Counts the attempts that are held or being claimed against a fixed number."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.taken = 0
        self.on_freed: Callable[[], None] = _nobody
        """Called whenever slots come back."""

    @property
    def free(self) -> int:
        """Return how many are left."""
        return self.total - self.taken

    def take(self, count: int) -> None:
        """Take slots; the caller has looked at `free`."""
        self.taken += count

    def give(self, count: int) -> None:
        """Give slots back."""
        if count:
            self.taken -= count
            self.on_freed()


def _nobody() -> None:
    """Nobody waits for slots."""

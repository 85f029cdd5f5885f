"""One figure, measured several times."""

import math
import statistics
from collections.abc import Iterable, Sequence

from msgspec import Struct

PERCENTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


class Spread(Struct, frozen=True):
    """The values of a figure, in the order in which they were measured."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Make one of at least one value."""
        return cls(tuple(float(value) for value in values))

    @property
    def median(self) -> float:
        """Return the middle value."""
        return statistics.median(self.values)

    @property
    def minimum(self) -> float:
        """Return the least value."""
        return min(self.values)

    @property
    def maximum(self) -> float:
        """Return the greatest value."""
        return max(self.values)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the least of `values` that at least `share` of them do not exceed (nearest rank, never between two)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return p50, p99 and p99.9 of at least one value."""
    return {name: percentile(values, share) for name, share in PERCENTILES.items()}

"""A counter that somebody else keeps and that is read when it is scraped.

The store, the bus and the sweeper count for themselves and know nothing of Prometheus.
"""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector


class FollowedCounter(Collector):
    """A counter metric whose values come from functions. Without any it has no samples."""

    def __init__(self, name: str, documentation: str, registry: CollectorRegistry, labels: Sequence[str] = ()) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = tuple(labels)
        self._reads: dict[tuple[str, ...], Callable[[], float]] = {}
        registry.register(self)

    def follow(self, read: Callable[[], float], *labels: str) -> None:
        """Take the value for these label values from `read`, which never returns less than before."""
        if len(labels) != len(self._labels):
            raise ValueError(f"{self._name} has the labels {self._labels}, not {labels}")
        self._reads[labels] = read

    def describe(self) -> Iterator[CounterMetricFamily]:
        """Name the metric, for the registry's check that a name is used once."""
        yield self._family()

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Give the values to a scrape."""
        family = self._family()
        for labels, read in self._reads.items():
            family.add_metric(labels, read())
        yield family

    def _family(self) -> CounterMetricFamily:
        return CounterMetricFamily(self._name, self._documentation, labels=self._labels)

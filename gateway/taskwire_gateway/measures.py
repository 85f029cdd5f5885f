"""What is counted of calls, wrapped around them once."""

from collections.abc import Callable
from typing import Any

from taskwire_shared.telemetry.metrics import GatewayMetrics

Measure = Callable[[Any, str, float], None]
"""Takes the request (None when it was not decoded), the name of the status code, and the duration in seconds."""


class Measures:
    """Counts calls by method, and the tasks that they are about."""

    def __init__(self, metrics: GatewayMetrics) -> None:
        self._metrics = metrics
        self._seconds: dict[tuple[str, str], Callable[[float], None]] = {}

    def call(self, method: str) -> Measure:
        """Return what is to be called at the end of each call of `method`."""
        count = self._counting(method)

        def measure(request: Any, code: str, seconds: float) -> None:
            self._observe(method, code, seconds)
            if count is not None and request is not None:
                count(request, code)

        return measure

    def _observe(self, method: str, code: str, seconds: float) -> None:
        observe = self._seconds.get((method, code))
        if observe is None:
            observe = self._seconds[method, code] = self._metrics.rpc_seconds.labels(method, code).observe
        observe(seconds)

    def _counting(self, method: str) -> Callable[[Any, str], None] | None:
        match method:
            case "GetTask":
                return self._count_get
            case "CreateTask" | "RetryTask":
                return lambda _, code: self._count_create(1, code)
            case "BatchCreateTasks":
                return lambda request, code: self._count_create(len(request.requests), code)
            case "CancelTask":
                return self._count_cancel
            case _:
                return None

    def _count_get(self, _request: Any, _code: str) -> None:
        self._metrics.task_get_requests.inc()

    def _count_create(self, tasks: int, code: str) -> None:
        metrics = self._metrics
        metrics.task_create_requests.inc(tasks)
        (metrics.task_create_success if code == "OK" else metrics.task_create_failure).inc(tasks)

    def _count_cancel(self, _request: Any, code: str) -> None:
        metrics = self._metrics
        metrics.task_cancel_requests.inc()
        (metrics.task_cancel_success if code == "OK" else metrics.task_cancel_failure).inc()

"""The metrics, the page that explains them and the names that were promised agree."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Metric

from taskwire_shared.telemetry.metrics import GatewayMetrics, ProcessorMetrics

PAGE = Path(__file__).resolve().parents[3] / "docs" / "events.md"

PROMISED = {
    "gateway": {
        "taskwire_tasks",
        "taskwire_task_get_requests_total",
        "taskwire_task_create_requests_total",
        "taskwire_task_create_success_total",
        "taskwire_task_create_failure_total",
        "taskwire_task_cancel_requests_total",
        "taskwire_task_cancel_success_total",
        "taskwire_task_cancel_failure_total",
        "taskwire_commit_to_event_seconds",
    },
    "processor": {
        "taskwire_task_processing_seconds",
        "taskwire_task_processing_success_total",
        "taskwire_task_processing_failure_total",
        "taskwire_create_to_start_seconds",
        "taskwire_create_to_complete_seconds",
    },
}


def _exposed_name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def _metrics(kind: type[GatewayMetrics] | type[ProcessorMetrics]) -> dict[str, str]:
    registry = CollectorRegistry()
    kind(registry)
    return {_exposed_name(metric): metric.type for metric in registry.collect() if metric.name.startswith("taskwire_")}


@pytest.mark.parametrize(("kind", "role"), [(GatewayMetrics, "gateway"), (ProcessorMetrics, "processor")])
def test_what_was_promised_is_there(kind, role) -> None:
    assert PROMISED[role] <= _metrics(kind).keys()


def test_both_can_live_in_one_process_with_a_registry_each() -> None:
    assert _metrics(GatewayMetrics).keys() & _metrics(ProcessorMetrics).keys() >= {"taskwire_loop_lag_seconds"}


def test_the_page_explains_every_metric_with_its_type() -> None:
    explained = dict(re.findall(r"^\| `(taskwire_[a-z_]+)(?:\{[^`]*\})?` \| (\w+) \|", PAGE.read_text(), re.MULTILINE))

    assert explained == _metrics(GatewayMetrics) | _metrics(ProcessorMetrics)


def test_the_page_names_every_label() -> None:
    explained = {
        name: tuple(labels.split(", ")) if labels else ()
        for name, labels in re.findall(r"^\| `(taskwire_[a-z_]+)(?:\{([^`]*)\})?` \|", PAGE.read_text(), re.MULTILINE)
    }
    labels = {}
    for kind in (GatewayMetrics, ProcessorMetrics):
        for metric in vars(kind(CollectorRegistry())).values():
            names = getattr(metric, "_labelnames", None) or getattr(metric, "_labels", ())
            labels[_exposed_name(next(iter(metric.describe())))] = tuple(names)

    assert explained == labels

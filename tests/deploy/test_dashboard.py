"""What the dashboard draws is what the services measure, and Prometheus finds them."""

import json
import re
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry

from taskwire_shared.telemetry.metrics import GatewayMetrics, ProcessorMetrics

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "taskwire.json").read_text())
COMPOSE = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())

# Drawn by their buckets and counts.
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}
# What looks at one process and not at the service.
NOT_DRAWN = {"taskwire_claim_batch_tasks", "taskwire_create_batch_tasks", "taskwire_runners"}


def _measured() -> dict[str, set[str]]:
    """Map each metric of the services to the names of its series."""
    measured = {}
    for metrics in (GatewayMetrics, ProcessorMetrics):
        registry = CollectorRegistry()
        metrics(registry)
        for family in registry.collect():
            if family.name.startswith("taskwire_"):
                measured[family.name] = {family.name + suffix for suffix in SUFFIXES[family.type]}
    return measured


def _drawn() -> set[str]:
    expressions = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    return set(re.findall(r"taskwire_\w+", " ".join(expressions)))


def test_everything_drawn_is_measured() -> None:
    assert _drawn() <= set().union(*_measured().values())


def test_everything_measured_is_drawn() -> None:
    undrawn = {name for name, series in _measured().items() if not series & _drawn()}

    assert undrawn == NOT_DRAWN


def test_dashboard_asks_the_provisioned_source() -> None:
    source = yaml.safe_load((DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yml").read_text())
    used = {panel["datasource"]["uid"] for panel in DASHBOARD["panels"] if panel["type"] != "row"}

    assert used == {source["datasources"][0]["uid"]}


def test_prometheus_finds_every_service() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    names = {name for job in config["scrape_configs"] for dns in job["dns_sd_configs"] for name in dns["names"]}
    serving = {name for name, service in COMPOSE["services"].items() if "build" in service} - {"migrate"}

    assert names == serving

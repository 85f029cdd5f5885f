"""What is counted of calls."""

from prometheus_client import CollectorRegistry

from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway.measures import Measures
from taskwire_shared.telemetry.metrics import GatewayMetrics


def test_a_batch_counts_its_tasks_and_a_request_that_was_not_decoded_counts_none():
    registry = CollectorRegistry()
    measure = Measures(GatewayMetrics(registry)).call("BatchCreateTasks")
    measure(pb.BatchCreateTasksRequest(requests=[pb.CreateTaskRequest()] * 7), "OK", 0.1)
    measure(pb.BatchCreateTasksRequest(requests=[pb.CreateTaskRequest()] * 2), "ALREADY_EXISTS", 0.1)
    measure(None, "INVALID_ARGUMENT", 0.1)
    assert registry.get_sample_value("taskwire_task_create_requests_total") == 9
    assert registry.get_sample_value("taskwire_task_create_success_total") == 7
    assert registry.get_sample_value("taskwire_task_create_failure_total") == 2

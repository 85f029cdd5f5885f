"""The rules for whole requests. Each function collects every violation and then refuses."""

import time
from collections.abc import Callable, Sequence

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway import field_checks as fields
from taskwire_gateway.violations import Violations
from taskwire_shared.domain import limits

_ITEM_OVERHEAD_BYTES = 160
"""What the response adds to an item of a batch beyond what the caller sent: id, state, version, two times, framing."""
RESPONSE_BYTES_MAX = limits.MESSAGE_BYTES_MAX - 64 * 1024
"""A response keeps this far below what gRPC clients accept by default."""


def check_create(request: pb.CreateTaskRequest) -> None:
    """Refuse a `CreateTaskRequest` that breaks a rule."""
    found = Violations()
    _check_new(found, "", request, time.time())
    found.refuse()


def check_batch_count(request: pb.BatchCreateTasksRequest) -> None:
    """Refuse a `BatchCreateTasksRequest` with nothing in it, or too many tasks."""
    found = Violations()
    count = len(request.requests)
    if not 1 <= count <= limits.BATCH_TASKS_MAX:
        found.add("requests", f"must have 1 to {limits.BATCH_TASKS_MAX} items, not {count}")
    found.refuse()


def check_batch(request: pb.BatchCreateTasksRequest) -> None:
    """Refuse a `BatchCreateTasksRequest` that is too big altogether, or of which any item breaks a rule."""
    found = Violations()
    _check_response_fits(found, request)
    found.refuse()
    now = time.time()
    for index, item in enumerate(request.requests):
        _check_new(found, f"requests[{index}].", item, now)
    found.refuse()


def check_get(request: pb.GetTaskRequest) -> None:
    """Refuse a `GetTaskRequest` that breaks a rule."""
    found = Violations()
    fields.check_id(found, "task_id", request.task_id)
    fields.check_view(found, "view", request.view)
    found.refuse()


def check_list(request: pb.ListTasksRequest) -> None:
    """Refuse a `ListTasksRequest` that breaks a rule. The token is judged where it is opened."""
    found = Violations()
    _check_selector(found, request.selector)
    fields.check_page_size(found, request.page_size)
    fields.check_view(found, "view", request.view)
    found.refuse()


def check_cancel(request: pb.CancelTaskRequest) -> None:
    """Refuse a `CancelTaskRequest` that breaks a rule."""
    found = Violations()
    fields.check_id(found, "task_id", request.task_id)
    fields.check_text(found, "reason", request.reason, limits.CANCEL_REASON_CHARS_MAX)
    found.refuse()


def check_retry(request: pb.RetryTaskRequest) -> None:
    """Refuse a `RetryTaskRequest` that breaks a rule."""
    found = Violations()
    fields.check_id(found, "task_id", request.task_id)
    if request.new_task_id:
        fields.check_fresh_id(found, "new_task_id", request.new_task_id, time.time())
        if request.new_task_id == request.task_id:
            found.add("new_task_id", "must not be the task that is repeated")
    found.refuse()


def check_watch_task(request: pb.WatchTaskRequest) -> None:
    """Refuse a `WatchTaskRequest` that breaks a rule. That `after_version` exists is checked with the task at hand."""
    found = Violations()
    fields.check_id(found, "task_id", request.task_id)
    fields.check_view(found, "view", request.view)
    if request.after_version < 0:
        found.add("after_version", "must not be negative")
    found.refuse()


def check_watch_tasks(request: pb.WatchTasksRequest) -> None:
    """Refuse a `WatchTasksRequest` that breaks a rule. The token is judged where it is opened."""
    found = Violations()
    _check_selector(found, request.selector)
    found.refuse()


def check_queue_name(name: str) -> None:
    """Refuse a `queue` that cannot be one."""
    found = Violations()
    fields.check_queue(found, "queue", name)
    found.refuse()


def check_list_queues(page_size: int) -> None:
    """Refuse a `ListQueuesRequest` that breaks a rule. The token is judged where it is opened."""
    found = Violations()
    fields.check_page_size(found, page_size)
    found.refuse()


def _check_new(found: Violations, prefix: str, request: pb.CreateTaskRequest, now: float) -> None:
    if request.task_id:
        fields.check_fresh_id(found, prefix + "task_id", request.task_id, now)
    if request.idempotency_key:
        fields.check_key(found, prefix + "idempotency_key", request.idempotency_key)
    if request.HasField("task"):
        _check_task(found, prefix + "task.", request.task)
    else:
        found.add(prefix + "task", "must be set")


def _check_task(found: Violations, prefix: str, task: task_pb2.Task) -> None:
    if task.queue:
        fields.check_queue(found, prefix + "queue", task.queue)
    fields.check_type(found, prefix + "type", task.type)
    if task.HasField("input"):
        fields.check_payload(found, prefix + "input", task.input)
    fields.check_priority(found, prefix + "priority", task.priority)
    if task.HasField("schedule_time"):
        fields.check_schedule_time(found, prefix + "schedule_time", task.schedule_time)
    if task.HasField("expire_time"):
        fields.check_time(found, prefix + "expire_time", task.expire_time)
    if task.HasField("retry_policy"):
        _check_retry_policy(found, prefix + "retry_policy.", task.retry_policy)
    if task.labels:
        fields.check_labels(found, prefix + "labels", task.labels, limits.LABELS_MAX)


def _check_retry_policy(found: Violations, prefix: str, policy: task_pb2.RetryPolicy) -> None:
    if not 0 <= policy.max_attempts <= limits.MAX_ATTEMPTS_MAX:
        found.add(prefix + "max_attempts", f"must be from 0 to {limits.MAX_ATTEMPTS_MAX}")
    if policy.HasField("attempt_timeout"):
        fields.check_duration(found, prefix + "attempt_timeout", policy.attempt_timeout, at_least_ms=1)
    if policy.HasField("initial_backoff"):
        fields.check_duration(found, prefix + "initial_backoff", policy.initial_backoff, at_least_ms=0)
    if policy.HasField("max_backoff"):
        fields.check_duration(found, prefix + "max_backoff", policy.max_backoff, at_least_ms=0)


def _check_response_fits(found: Violations, request: pb.BatchCreateTasksRequest) -> None:
    """Refuse a batch whose response, which repeats everything but the inputs, would be too big to be received."""
    overhead = len(request.requests) * _ITEM_OVERHEAD_BYTES
    if request.ByteSize() + overhead <= RESPONSE_BYTES_MAX:
        return
    inputs = sum(item.task.input.ByteSize() for item in request.requests if item.task.HasField("input"))
    if request.ByteSize() - inputs + overhead > RESPONSE_BYTES_MAX:
        found.add("requests", "must be fewer or have shorter labels: the response would not fit a message of 4 MiB")


def _check_selector(found: Violations, selector: pb.TaskSelector) -> None:
    _check_each(found, "selector.queues", selector.queues, limits.SELECTOR_QUEUES_MAX, fields.check_queue)
    _check_each(found, "selector.types", selector.types, limits.SELECTOR_TYPES_MAX, fields.check_type)
    if len(selector.states) > limits.SELECTOR_STATES_MAX:
        found.add("selector.states", f"must have at most {limits.SELECTOR_STATES_MAX} items")
    fields.check_labels(found, "selector.labels", selector.labels, limits.SELECTOR_LABELS_MAX)
    if selector.HasField("min_create_time"):
        fields.check_time(found, "selector.min_create_time", selector.min_create_time)
    if selector.HasField("max_create_time"):
        fields.check_time(found, "selector.max_create_time", selector.max_create_time)


def _check_each(
    found: Violations,
    path: str,
    values: Sequence[str],
    count_max: int,
    check: Callable[[Violations, str, str], None],
) -> None:
    if len(values) > count_max:
        found.add(path, f"must have at most {count_max} items")
        return
    for index, value in enumerate(values):
        check(found, f"{path}[{index}]", value)

"""Messages that are right, to begin with."""

import random
import time
from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from taskwire.v1 import queue_service_pb2 as queue_pb
from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_chaos.abuse.handlers import TYPES
from taskwire_chaos.abuse.world import World, fresh_id

QUEUES = tuple(f"abuse-{number}" for number in range(8))
_INPUTS = ("", "text", '{"a": 1}', "[]", "null", '"\\ud800"', "é" * 50)


def message(method: str, rng: random.Random, world: World) -> Message:
    """Make a request of a method that would be served."""
    made: Message = _MAKERS[method](rng, world)
    return made


def task(rng: random.Random) -> task_pb2.Task:
    """Make a task of a type that is served."""
    made = task_pb2.Task(type=rng.choice(TYPES), queue=rng.choice(QUEUES))
    made.input.text = rng.choice(_INPUTS)
    if rng.random() < 0.3:
        made.labels["customer"] = str(rng.randrange(10))
        made.retry_policy.max_attempts = rng.randint(1, 3)
        made.retry_policy.attempt_timeout.seconds = rng.randint(1, 60)
        made.retry_policy.initial_backoff.nanos = 1_000_000
        made.priority = task_pb2.TaskPriority.ValueType(rng.randint(0, 3))
    if rng.random() < 0.1:
        made.schedule_time.FromMilliseconds(int(time.time() * 1000) + rng.randint(-1000, 3000))
    if rng.random() < 0.1:
        made.expire_time.FromMilliseconds(int(time.time() * 1000) + rng.randint(-1000, 60_000))
    return made


def _create(rng: random.Random, world: World) -> pb.CreateTaskRequest:
    request = pb.CreateTaskRequest(task=task(rng))
    if rng.random() < 0.3:
        now_ms = int(time.time() * 1000)
        request.task_id = world.task_id(rng) if rng.random() < 0.3 else fresh_id(rng, now_ms)
    if rng.random() < 0.2:
        request.idempotency_key = f"key-{rng.randrange(1_000)}"
    return request


def _batch(rng: random.Random, world: World) -> pb.BatchCreateTasksRequest:
    return pb.BatchCreateTasksRequest(requests=[_create(rng, world) for _ in range(rng.choice([1, 2, 5]))])


def _list(rng: random.Random, world: World) -> pb.ListTasksRequest:
    request = pb.ListTasksRequest(page_size=rng.choice([0, 1, 3, 50, 1000]))
    request.page_token = world.token(rng, world.page_tokens, tampered=0.1)
    _select(rng, request.selector)
    if request.page_size < 10:
        request.view = task_pb2.TaskView.ValueType(rng.randint(0, 2))
    return request


def _select(rng: random.Random, selector: pb.TaskSelector) -> None:
    if rng.random() < 0.3:
        selector.queues.append(rng.choice(QUEUES))
    if rng.random() < 0.2:
        selector.types.extend(TYPES[:2])
    if rng.random() < 0.2:
        selector.states.append(task_pb2.TaskState.ValueType(rng.randint(1, 6)))
    if rng.random() < 0.2:
        selector.labels["customer"] = "3"
    if rng.random() < 0.1:
        selector.min_create_time.FromSeconds(int(time.time()) - 60)


def _watch_task(rng: random.Random, world: World) -> pb.WatchTaskRequest:
    request = pb.WatchTaskRequest(task_id=world.task_id(rng))
    if rng.random() < 0.3:
        request.after_version = rng.randint(0, 4)
    return request


def _watch_tasks(rng: random.Random, world: World) -> pb.WatchTasksRequest:
    request = pb.WatchTasksRequest(resume_token=world.token(rng, world.resume_tokens, tampered=0.1))
    if rng.random() < 0.2:
        _select(rng, request.selector)
    return request


def _reflection(rng: random.Random, _: World) -> reflection_pb2.ServerReflectionRequest:
    return rng.choice(
        [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_by_filename="taskwire/v1/task.proto"),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="taskwire.v1.Task"),
            reflection_pb2.ServerReflectionRequest(all_extension_numbers_of_type="taskwire.v1.Task"),
        ]
    )


_MAKERS: dict[str, Callable[[random.Random, World], Any]] = {
    "CreateTask": _create,
    "BatchCreateTasks": _batch,
    "GetTask": lambda rng, world: pb.GetTaskRequest(
        task_id=world.task_id(rng), view=task_pb2.TaskView.ValueType(rng.randint(0, 2))
    ),
    "ListTasks": _list,
    "CancelTask": lambda rng, world: pb.CancelTaskRequest(task_id=world.task_id(rng), reason="enough"),
    "RetryTask": lambda rng, world: pb.RetryTaskRequest(task_id=world.task_id(rng)),
    "WatchTask": _watch_task,
    "WatchTasks": _watch_tasks,
    "GetQueue": lambda rng, _: queue_pb.GetQueueRequest(queue=rng.choice(QUEUES)),
    "ListQueues": lambda rng, world: queue_pb.ListQueuesRequest(
        page_size=rng.randint(0, 3), page_token=world.token(rng, world.page_tokens, tampered=0.1)
    ),
    "PauseQueue": lambda rng, _: queue_pb.PauseQueueRequest(queue=rng.choice(QUEUES)),
    "ResumeQueue": lambda rng, _: queue_pb.ResumeQueueRequest(queue=rng.choice(QUEUES)),
    "Check": lambda _rng, _world: health_pb2.HealthCheckRequest(service="taskwire.v1.TaskService"),
    "Watch": lambda _rng, _world: health_pb2.HealthCheckRequest(),
    "ServerReflectionInfo": _reflection,
}

"""The methods of a gateway, its health and its reflection included."""

from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from msgspec import Struct

from taskwire.v1 import queue_service_pb2 as queue_pb
from taskwire.v1 import task_service_pb2 as task_pb


class Method(Struct, frozen=True):
    """A method as it is called."""

    service: str
    name: str
    request: type[Message]
    streams: bool = False
    """Whether it answers with a stream."""
    duplex: bool = False
    """Whether it is asked with one, too."""

    @property
    def path(self) -> str:
        """Return the path of its calls."""
        return f"/{self.service}/{self.name}"

    @property
    def label(self) -> str:
        """Return the name in reports."""
        return f"{self.service.rpartition('.')[2]}/{self.name}"


_TASKS, _QUEUES, _HEALTH = "taskwire.v1.TaskService", "taskwire.v1.QueueService", "grpc.health.v1.Health"
METHODS = (
    Method(_TASKS, "CreateTask", task_pb.CreateTaskRequest),
    Method(_TASKS, "BatchCreateTasks", task_pb.BatchCreateTasksRequest),
    Method(_TASKS, "GetTask", task_pb.GetTaskRequest),
    Method(_TASKS, "ListTasks", task_pb.ListTasksRequest),
    Method(_TASKS, "CancelTask", task_pb.CancelTaskRequest),
    Method(_TASKS, "RetryTask", task_pb.RetryTaskRequest),
    Method(_TASKS, "WatchTask", task_pb.WatchTaskRequest, streams=True),
    Method(_TASKS, "WatchTasks", task_pb.WatchTasksRequest, streams=True),
    Method(_QUEUES, "GetQueue", queue_pb.GetQueueRequest),
    Method(_QUEUES, "ListQueues", queue_pb.ListQueuesRequest),
    Method(_QUEUES, "PauseQueue", queue_pb.PauseQueueRequest),
    Method(_QUEUES, "ResumeQueue", queue_pb.ResumeQueueRequest),
    Method(_HEALTH, "Check", health_pb2.HealthCheckRequest),
    Method(_HEALTH, "Watch", health_pb2.HealthCheckRequest, streams=True),
    *(
        Method(
            f"grpc.reflection.{version}.ServerReflection",
            "ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest,
            streams=True,
            duplex=True,
        )
        for version in ("v1", "v1alpha")
    ),
)
WEIGHTS = (12, 4, 6, 6, 6, 5, 3, 3, 4, 4, 1, 4, 2, 1, 1, 1)
"""How often each is called: those most often that take most."""
BY_NAME = {method.name: method for method in METHODS}

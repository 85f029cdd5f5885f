"""A load test with a web view, for people who would rather look: locust -f bench/locustfile.py --host 127.0.0.1:50051.

Needs `pip install locust` beside Taskwire. Its numbers include Locust's own cost, which is far above that of a call:
for figures use `make bench`.
"""

import time
from collections.abc import Callable
from typing import Any

import grpc
import grpc.experimental.gevent as grpc_gevent
from locust import User, between, task

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire.v1.task_service_pb2_grpc import TaskServiceStub
from taskwire_shared.domain.ids import new_id

# Locust runs its users on gevent, and grpc must wait the same way.
grpc_gevent.init_gevent()

_CALL_SECONDS = 10.0
_WATCH_SECONDS = 60.0


class Caller(User):
    """Creates tasks, reads them, and now and then watches one to its end."""

    wait_time = between(0.01, 0.05)

    def on_start(self) -> None:
        """Connect."""
        self._channel = grpc.insecure_channel(self.host)
        self._service = TaskServiceStub(self._channel)
        self._newest = ""

    def on_stop(self) -> None:
        """Disconnect."""
        self._channel.close()

    @task(10)
    def create(self) -> None:
        """Create a task."""
        response = self._timed("CreateTask", lambda: self._service.CreateTask(self._request(), timeout=_CALL_SECONDS))
        self._newest = response.task.id if response else self._newest

    @task(3)
    def read(self) -> None:
        """Read the newest task."""
        if self._newest:
            request = pb.GetTaskRequest(task_id=self._newest)
            self._timed("GetTask", lambda: self._service.GetTask(request, timeout=_CALL_SECONDS))

    @task(1)
    def watch(self) -> None:
        """Create a task and follow it until it is done."""

        def follow() -> None:
            created = self._service.CreateTask(self._request(), timeout=_CALL_SECONDS)
            request = pb.WatchTaskRequest(task_id=created.task.id)
            for _ in self._service.WatchTask(request, timeout=_WATCH_SECONDS):
                pass

        self._timed("CreateTask and WatchTask to the end", follow)

    @staticmethod
    def _request() -> pb.CreateTaskRequest:
        payload = task_pb2.Payload(text='"locust"')
        return pb.CreateTaskRequest(task_id=str(new_id()), task=task_pb2.Task(type="echo", input=payload))

    def _timed(self, name: str, call: Callable[[], Any]) -> Any:
        started, failure, response = time.perf_counter(), None, None
        try:
            response = call()
        except grpc.RpcError as error:
            failure = error
        self.environment.events.request.fire(
            request_type="grpc",
            name=name,
            response_time=(time.perf_counter() - started) * 1e3,
            response_length=response.ByteSize() if response is not None else 0,
            exception=failure,
        )
        return response

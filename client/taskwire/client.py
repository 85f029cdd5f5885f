"""The client: one object for the life of a process, safe to share between coroutines of one loop.

    async with taskwire.Client("127.0.0.1:50051") as client:
        task = await client.create("greet", {"name": "Ada"})
        done = await client.wait(task.id)
        print(done.output.json())

Every method raises an exception of `taskwire.errors`.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

import grpc
import grpc.aio

from taskwire import watching
from taskwire.channel import open_channel, translated
from taskwire.errors import TaskwireError
from taskwire.ids import fresh_task_id
from taskwire.requests import EVERY_TASK, NewTask, Selector, create_request, named
from taskwire.task import QueueInfo, TaskInfo, TaskPriority
from taskwire.v1 import queue_service_pb2 as queues_pb
from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as tasks_pb
from taskwire.v1.queue_service_pb2_grpc import QueueServiceStub
from taskwire.v1.task_service_pb2_grpc import TaskServiceStub

CALL_SECONDS_MAX = 10.0
"""How long a call may take, repetitions included. gRPC sets no deadline by itself. Watches have none."""
_DEADLINE_SECONDS_MAX = 1e9
"""30 years. What is longer overflows in gRPC and would have passed at once, so it is no deadline."""
PAGE_SIZE = 200

A = TypeVar("A")


class Client:
    """A connection to Taskwire. Use it with `async with`, or call `close`."""

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        credentials: grpc.ChannelCredentials | None = None,
        timeout: float | None = CALL_SECONDS_MAX,
        wait_for_ready: bool = True,
    ) -> None:
        """Connect to `address` when the first call is made; to be created inside the running loop.

        Without `credentials` the connection is not encrypted. `timeout` is the most that a call may take, in seconds;
        with None or infinity there is no limit. With `wait_for_ready` a call waits for a service that cannot be
        reached, and raises `DeadlineExceeded` after its timeout; without, it raises `Unavailable` at once. Watches and
        `wait` go on trying for ever, with or without it.
        """
        self._timeout = _deadline_seconds(timeout)
        self._channel = open_channel(address, credentials)
        self._tasks = TaskServiceStub(self._channel)
        self._queues = QueueServiceStub(self._channel)
        self._wait_for_ready = wait_for_ready
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End all calls and the connection. Harmless to repeat. Calls and watches under way raise `ClientClosed`."""
        self._closed = True
        await self._channel.close(None)

    async def create(
        self,
        type: str,
        input: Any = None,
        *,
        queue: str | None = None,
        priority: TaskPriority | None = None,
        delay: timedelta | float | None = None,
        schedule_time: datetime | None = None,
        expire_time: datetime | None = None,
        max_attempts: int | None = None,
        attempt_timeout: timedelta | float | None = None,
        initial_backoff: timedelta | float | None = None,
        max_backoff: timedelta | float | None = None,
        labels: Mapping[str, str] | None = None,
        task_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> TaskInfo:
        """Store a task. It is durable when this returns, and repeating lost requests is taken care of.

        The input may be None, str, bytes, `Payload`, or anything that msgspec writes as JSON. Calling again, after an
        exception or a crash, makes another task unless both calls have the same `task_id` (a fresh UUIDv7) or
        `idempotency_key` (an order number for example). With either, give `schedule_time` instead of `delay`, which
        raises ValueError. `TaskwireError.sent_ids` has the id that a failed call has sent.
        """
        new = NewTask(
            type=type,
            input=input,
            queue=queue,
            priority=priority,
            delay=delay,
            schedule_time=schedule_time,
            expire_time=expire_time,
            max_attempts=max_attempts,
            attempt_timeout=attempt_timeout,
            initial_backoff=initial_backoff,
            max_backoff=max_backoff,
            labels=labels or {},
            task_id=task_id,
            idempotency_key=idempotency_key,
        )
        request = create_request(new, datetime.now(UTC))
        response = await self._call(self._tasks.CreateTask, request, _ids(request))
        return TaskInfo(response.task, response.deduplicated)

    async def create_many(self, tasks: Iterable[NewTask]) -> tuple[TaskInfo, ...]:
        """Store up to 1000 tasks, all of them or none. Returns them in the same order.

        As with `create`, calling again makes other tasks unless each has its `task_id` or `idempotency_key`.
        """
        now = datetime.now(UTC)
        request = tasks_pb.BatchCreateTasksRequest(requests=[create_request(new, now) for new in tasks])
        response = await self._call(self._tasks.BatchCreateTasks, request, _ids(*request.requests))
        return tuple(TaskInfo(one.task, one.deduplicated) for one in response.responses)

    async def get(self, task_id: str) -> TaskInfo:
        """Return a task with its input and output."""
        response = await self._call(self._tasks.GetTask, tasks_pb.GetTaskRequest(task_id=task_id))
        return TaskInfo(response.task)

    async def list(self, selector: Selector = EVERY_TASK, *, full: bool = False) -> AsyncGenerator[TaskInfo, None]:
        """Give tasks from new to old, page after page. With `full`, with input and output."""
        request = tasks_pb.ListTasksRequest(selector=selector.to_message(), page_size=PAGE_SIZE, view=_view(full=full))
        while True:
            page = await self._call(self._tasks.ListTasks, request)
            for task in page.tasks:
                yield TaskInfo(task)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def cancel(self, task_id: str, *, reason: str = "") -> TaskInfo:
        """Ask for a task to be stopped. A running handler may still finish first: look at the state."""
        request = tasks_pb.CancelTaskRequest(task_id=task_id, reason=reason)
        return TaskInfo((await self._call(self._tasks.CancelTask, request)).task)

    async def retry(self, task_id: str, *, new_task_id: str | None = None) -> TaskInfo:
        """Make a new task like one that has failed or was cancelled, and return the new one.

        Calling again makes another one unless both calls have the same `new_task_id`.
        """
        new_id = named("new_task_id", new_task_id) or fresh_task_id()
        request = tasks_pb.RetryTaskRequest(task_id=task_id, new_task_id=new_id)
        return TaskInfo((await self._call(self._tasks.RetryTask, request, (new_id,))).task)

    def watch(
        self, task_id: str, *, after_version: int | None = None, full: bool = False, with_progress: bool = False
    ) -> AsyncGenerator[TaskInfo, None]:
        """Follow a task: give it as it is now, then every version, and end with the final one.

        Reconnects by itself, also while the service cannot be reached, for ever. With `after_version` it starts with
        the version after that, 0 for all of them. With `with_progress` a version is given again when the running
        attempt reports something new. Leave the loop early under `contextlib.aclosing`, so that the call ends at once.
        """
        request = tasks_pb.WatchTaskRequest(task_id=task_id, after_version=after_version, view=_view(full=full))
        return watching.watch_task(
            self._tasks,
            request,
            with_progress=with_progress,
            wait_for_ready=self._wait_for_ready,
            is_closed=self._is_closed,
        )

    def watch_all(
        self, selector: Selector = EVERY_TASK, *, resume_token: str | None = None
    ) -> AsyncGenerator[watching.Changes, None]:
        """Follow every selected task, without an end.

        Reconnects by itself, also while the service cannot be reached, for ever. Starts with changes from now on, or
        behind `resume_token`. Raises `ResumeTokenExpired` when that is older than what the service keeps. To begin
        with what there is: wait for the first `Changes`, list, then go on; nothing falls between.
        """
        request = tasks_pb.WatchTasksRequest(selector=selector.to_message(), resume_token=resume_token or "")
        return watching.watch_tasks(
            self._tasks, request, wait_for_ready=self._wait_for_ready, is_closed=self._is_closed
        )

    async def wait(self, task_id: str) -> TaskInfo:
        """Wait until a task is done and return it, with its output.

        It goes on trying for ever, also while the service cannot be reached. Set a limit with `asyncio.timeout`.
        """
        async with aclosing(self.watch(task_id)) as versions:
            async for task in versions:
                if task.done:
                    return task
        raise AssertionError("a watch ends with the final version")

    async def queue(self, name: str) -> QueueInfo:
        """Return one queue with its counts."""
        response = await self._call(self._queues.GetQueue, queues_pb.GetQueueRequest(queue=name))
        return QueueInfo(response.queue)

    async def queues(self) -> AsyncGenerator[QueueInfo, None]:
        """Give the queues by name, page after page, without counts."""
        request = queues_pb.ListQueuesRequest(page_size=PAGE_SIZE)
        while True:
            page = await self._call(self._queues.ListQueues, request)
            for queue in page.queues:
                yield QueueInfo(queue)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def pause(self, queue: str) -> QueueInfo:
        """Stop starting tasks of a queue. Attempts in progress go on."""
        response = await self._call(self._queues.PauseQueue, queues_pb.PauseQueueRequest(queue=queue))
        return QueueInfo(response.queue)

    async def resume(self, queue: str) -> QueueInfo:
        """Start tasks of a queue again."""
        response = await self._call(self._queues.ResumeQueue, queues_pb.ResumeQueueRequest(queue=queue))
        return QueueInfo(response.queue)

    async def _call(self, method: Callable[..., Awaitable[A]], request: Any, sent_ids: tuple[str, ...] = ()) -> A:
        """Make one unary call. An error tells which ids the request gave to new tasks."""
        try:
            with translated(self._is_closed):
                return await method(request, timeout=self._timeout, wait_for_ready=self._wait_for_ready)
        except TaskwireError as error:
            error.sent_ids = sent_ids
            raise

    def _is_closed(self) -> bool:
        return self._closed


def _deadline_seconds(timeout: float | None) -> float | None:
    if timeout is None:
        return None
    # Written so that it is true of NaN.
    if not timeout > 0:
        raise ValueError(f"the timeout must be more than 0 seconds, or None for no limit, not {timeout!r}")
    return timeout if timeout <= _DEADLINE_SECONDS_MAX else None


def _ids(*requests: tasks_pb.CreateTaskRequest) -> tuple[str, ...]:
    return tuple(request.task_id for request in requests if request.task_id)


def _view(*, full: bool) -> task_pb2.TaskView.ValueType:
    return task_pb2.TASK_VIEW_FULL if full else task_pb2.TASK_VIEW_BASIC

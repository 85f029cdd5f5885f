"""A caller of another tenant, who tries to get at the tasks and queues of this one."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import grpc
import grpc.aio

from taskwire.v1 import queue_service_pb2 as queue_pb
from taskwire.v1 import task_service_pb2 as pb
from taskwire.v1.queue_service_pb2_grpc import QueueServiceStub
from taskwire.v1.task_service_pb2_grpc import TaskServiceStub
from taskwire_chaos.journal import Call, Journal, Reply, Verdict
from taskwire_chaos.load.caller import fresh_op
from taskwire_chaos.planted.tenants import TENANT_KEY

LISTS = frozenset({"foreign.list", "foreign.queues", "foreign.watch_all"})
"""The methods that are answered, with nothing in it."""
_METADATA = ((TENANT_KEY, "foreign"),)
_QUEUE = "default"
"""Of the tenant whose tasks it is after."""
_SECONDS = 3.0
_AGAIN_SECONDS = 0.5

_NAMES: Mapping[str, Callable[[Any], Sequence[str]]] = {
    "foreign.list": lambda response: [task.id for task in response.tasks],
    "foreign.queues": lambda response: [queue.name for queue in response.queues],
    "foreign.queue": lambda response: [response.queue.name],
    "foreign.pause": lambda response: [response.queue.name],
}
"""What an answer is about, where it is not about a task."""


class Foreigner:
    """Asks for what it must not get."""

    def __init__(self, journal: Journal, channels: Sequence[grpc.aio.Channel], random: Random) -> None:
        self._journal = journal
        self._channels = channels
        self._random = random

    async def try_all(self, task_id: str) -> None:
        """Try to get, cancel, repeat, watch and list a task of somebody else, and to see and pause its queue."""
        channel = self._random.choice(self._channels)
        stub: Any = TaskServiceStub(channel)
        queues: Any = QueueServiceStub(channel)
        watch = stub.WatchTask(pb.WatchTaskRequest(task_id=task_id), timeout=_SECONDS, metadata=_METADATA)
        await self._try("foreign.get", task_id, stub.GetTask, pb.GetTaskRequest(task_id=task_id))
        await self._try("foreign.cancel", task_id, stub.CancelTask, pb.CancelTaskRequest(task_id=task_id))
        await self._try("foreign.retry", task_id, stub.RetryTask, pb.RetryTaskRequest(task_id=task_id))
        await self._try("foreign.list", task_id, stub.ListTasks, pb.ListTasksRequest())
        await self._try("foreign.queues", task_id, queues.ListQueues, queue_pb.ListQueuesRequest())
        await self._try("foreign.queue", task_id, queues.GetQueue, queue_pb.GetQueueRequest(queue=_QUEUE))
        await self._try("foreign.pause", task_id, queues.PauseQueue, queue_pb.PauseQueueRequest(queue=_QUEUE))
        await self._read(watch, task_id)

    async def watch_everything(self) -> None:
        """Watch all there is to see until cancelled, and write down every task that comes."""
        while True:
            stub: Any = TaskServiceStub(self._random.choice(self._channels))
            call = stub.WatchTasks(pb.WatchTasksRequest(), metadata=_METADATA)
            try:
                async for message in call:
                    self._note_seen([task.id for task in message.changes.tasks])
            except grpc.RpcError:
                await asyncio.sleep(_AGAIN_SECONDS)
            finally:
                call.cancel()

    def _note_seen(self, tasks: Sequence[str]) -> None:
        if tasks:
            call = Call(op=fresh_op(), method="foreign.watch_all", tasks=tuple(tasks))
            self._journal.write(call)
            self._journal.write(Reply(op=call.op, verdict="ok", tasks=call.tasks))

    async def _read(self, watch: Any, task_id: str) -> None:
        call = Call(op=fresh_op(), method="foreign.watch", tasks=(task_id,))
        self._journal.write(call)
        try:
            message = await watch.read()
        except grpc.RpcError as error:
            self._journal.write(Reply(op=call.op, verdict=_verdict(error), reason=error.code().name))
        else:
            self._journal.write(Reply(op=call.op, verdict="ok", reason=type(message).__name__))
        finally:
            watch.cancel()

    async def _try(self, method: str, task_id: str, send: Any, request: Any) -> None:
        call = Call(op=fresh_op(), method=method, tasks=(task_id,))
        self._journal.write(call)
        try:
            response = await send(request, timeout=_SECONDS, metadata=_METADATA)
        except grpc.RpcError as error:
            self._journal.write(Reply(op=call.op, verdict=_verdict(error), reason=error.code().name))
        else:
            found = _NAMES[method](response) if method in _NAMES else [response.task.id]
            self._journal.write(Reply(op=call.op, verdict="ok", tasks=tuple(found)))


def _verdict(error: grpc.RpcError) -> Verdict:
    return "fail" if error.code() is grpc.StatusCode.NOT_FOUND else "unknown"

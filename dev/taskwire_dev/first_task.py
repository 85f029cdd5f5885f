"""The proof that an installation works: one task, from its creation to its end."""

import asyncio
from contextlib import suppress
from time import monotonic

import grpc
from msgspec import Struct

from taskwire.v1 import task_pb2, task_service_pb2, task_service_pb2_grpc

_PATIENCE_SECONDS = 10.0
"""It takes 20 ms, but work left over from the last time may be before it."""
_CALL_SECONDS = 5.0


class FirstTask(Struct, frozen=True, kw_only=True):
    """What became of the task."""

    task_id: str
    states: tuple[str, ...]
    seconds: float
    waits_for: str
    """Why it has not started, as in WaitReason, or empty."""

    @property
    def succeeded(self) -> bool:
        """Tell whether the handler ran and its result was stored."""
        return self.states[-1:] == ("SUCCEEDED",)


async def run_first_task(address: str, queue: str) -> FirstTask:
    """Create an echo task and watch it. Raises grpc.aio.AioRpcError when the gateway does not take it."""
    async with grpc.aio.insecure_channel(address) as channel:
        service = task_service_pb2_grpc.TaskServiceStub(channel)
        began = monotonic()
        task = task_pb2.Task(
            queue=queue,
            type="echo",
            priority=task_pb2.TASK_PRIORITY_HIGH,
            input=task_pb2.Payload(text="hello"),
            labels={"made-by": "taskwire-dev"},
        )
        created = await service.CreateTask(
            task_service_pb2.CreateTaskRequest(task=task), timeout=_CALL_SECONDS, wait_for_ready=True
        )
        states: list[str] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await _watch(service, created.task.id, states)
        seconds = monotonic() - began
        return FirstTask(
            task_id=created.task.id,
            states=tuple(states),
            seconds=seconds,
            waits_for=await _wait_reason(service, created.task.id),
        )


async def _watch(service: task_service_pb2_grpc.TaskServiceAsyncStub, task_id: str, states: list[str]) -> None:
    request = task_service_pb2.WatchTaskRequest(task_id=task_id, after_version=0)
    async for message in service.WatchTask(request):
        # One by one: the caller keeps what has come when it loses its patience.
        states += [state_name(message.task.state)] if message.WhichOneof("event") == "task" else []


async def _wait_reason(service: task_service_pb2_grpc.TaskServiceAsyncStub, task_id: str) -> str:
    request = task_service_pb2.GetTaskRequest(task_id=task_id, view=task_pb2.TASK_VIEW_BASIC)
    task = (await service.GetTask(request, timeout=_CALL_SECONDS)).task
    if not task.wait_reason:
        return ""
    return task_pb2.WaitReason.Name(task.wait_reason).removeprefix("WAIT_REASON_")


def state_name(state: int) -> str:
    """Return the name of a state without its prefix, also of one that a newer service has made up."""
    try:
        return task_pb2.TaskState.Name(task_pb2.TaskState.ValueType(state)).removeprefix("TASK_STATE_")
    except ValueError:
        return f"STATE_{state}"

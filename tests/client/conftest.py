"""A gateway that answers as a test says, over a real connection: what the client sees is what a server can do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2

from taskwire import Client
from taskwire.v1 import queue_service_pb2_grpc, task_service_pb2_grpc

_STREAMS = {"WatchTask", "WatchTasks"}


class Rejection:
    """An answer that is a status, with details as Taskwire sends them."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        *,
        message: str = "no",
        violations: Mapping[str, str] | None = None,
        retry_seconds: float | None = None,
        domain: str = "taskwire.dev",
    ) -> None:
        self.code = code
        self.status = status_pb2.Status(code=code.value[0], message=message)
        if reason:
            info = error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=dict(metadata or {}))
            self.status.details.add().Pack(info)
        if violations:
            bad = error_details_pb2.BadRequest()
            for field, description in violations.items():
                bad.field_violations.add(field=field, description=description)
            self.status.details.add().Pack(bad)
        if retry_seconds is not None:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromNanoseconds(int(retry_seconds * 1e9))
            self.status.details.add().Pack(retry)

    async def send(self, context: grpc.aio.ServicerContext) -> None:
        trailers = (("grpc-status-details-bin", self.status.SerializeToString()),) if self.status.details else ()
        await context.abort(self.code, self.status.message, trailers)


class ScriptedGateway:
    """Answers the calls of each method with what `script` was given for it, in turn; the last answer is repeated.

    An answer to a unary call is a message or a `Rejection`; one to a watch is a list of these and of events to wait
    for.
    """

    def __init__(self) -> None:
        self.address = ""
        self.requests: list[Any] = []
        self._answers: dict[str, list[Any]] = {}

    def script(self, method: str, *answers: Any) -> None:
        self._answers[method] = list(answers)

    def next_answer(self, method: str, request: Any) -> Any:
        self.requests.append(request)
        answers = self._answers.get(method) or [Rejection(grpc.StatusCode.UNIMPLEMENTED)]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def unary(self, method: str, request: Any, context: Any) -> Any:
        answer = self.next_answer(method, request)
        if isinstance(answer, Rejection):
            await answer.send(context)
        return answer

    async def stream(self, method: str, request: Any, context: Any) -> AsyncIterator[Any]:
        for step in self.next_answer(method, request):
            if isinstance(step, Rejection):
                await step.send(context)
            elif isinstance(step, asyncio.Event):
                await step.wait()
            else:
                yield step


def _servicer(base: type, gateway: ScriptedGateway) -> Any:
    # grpc.aio tells coroutine functions and generators from blocking ones by looking at them.
    def method(name: str) -> Callable[..., Any]:
        async def unary(_self: Any, request: Any, context: Any) -> Any:
            return await gateway.unary(name, request, context)

        async def stream(_self: Any, request: Any, context: Any) -> AsyncIterator[Any]:
            async for message in gateway.stream(name, request, context):
                yield message

        return stream if name in _STREAMS else unary

    names = [name for name in vars(base) if name[0].isupper()]
    return type("Scripted", (base,), {name: method(name) for name in names})()


@pytest.fixture
async def gateway() -> AsyncIterator[ScriptedGateway]:
    scripted = ScriptedGateway()
    server = grpc.aio.server()
    tasks, queues = task_service_pb2_grpc, queue_service_pb2_grpc
    tasks.add_TaskServiceServicer_to_server(_servicer(tasks.TaskServiceServicer, scripted), server)
    queues.add_QueueServiceServicer_to_server(_servicer(queues.QueueServiceServicer, scripted), server)
    scripted.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield scripted
    await server.stop(0)


@pytest.fixture
async def client(gateway: ScriptedGateway) -> AsyncIterator[Client]:
    async with Client(gateway.address, timeout=5) as opened:
        yield opened


@pytest.fixture
def reject() -> type[Rejection]:
    return Rejection

"""A real gateway in this process, channels to it, and a hand that plays the processor."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import asyncpg
import grpc
import pytest
from google.rpc import error_details_pb2 as details_pb2
from google.rpc.status_pb2 import Status

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire.v1.queue_service_pb2_grpc import QueueServiceStub
from taskwire.v1.task_service_pb2_grpc import TaskServiceStub
from taskwire_gateway.app import serve
from taskwire_gateway.tenancy import everyone_is_default
from taskwire_shared.bus.bells import Bell
from taskwire_shared.domain.errors import Unauthenticated
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import Failed, Fence, Succeeded
from taskwire_shared.domain.task import Failure, Payload
from taskwire_shared.settings import Settings
from taskwire_shared.store import claims, completions, processors

START_SECONDS = 20.0
TYPES = ["echo", "other"]


class Api:
    """The stubs of one channel."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.channel = grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        self.tasks = TaskServiceStub(self.channel)
        self.queues = QueueServiceStub(self.channel)

    async def create(self, type_name: str = "echo", **fields: Any) -> task_pb2.Task:
        response = await self.tasks.CreateTask(pb.CreateTaskRequest(task=task_pb2.Task(type=type_name, **fields)))
        return response.task

    async def get(self, task_id: str) -> task_pb2.Task:
        return (await self.tasks.GetTask(pb.GetTaskRequest(task_id=task_id))).task

    async def raw(self, method: str, data: bytes, service: str = "TaskService") -> bytes:
        return await self.channel.unary_unary(f"/taskwire.v1.{service}/{method}")(data)


class Refusal:
    """A failed call, taken apart."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code = error.code().name
        self.text = error.details()
        trailers = dict(error.trailing_metadata() or ())
        raw = trailers.get("grpc-status-details-bin", b"")
        self.size = len(raw)
        self.pushback = trailers.get("grpc-retry-pushback-ms")
        self.status = Status.FromString(raw)
        self.details = {}
        for packed in self.status.details:
            kind = packed.type_url.rpartition(".")[2]
            message = getattr(details_pb2, kind)()
            packed.Unpack(message)
            self.details[kind] = message
        info = self.details.get("ErrorInfo")
        self.reason = info.reason if info else ""
        self.metadata = dict(info.metadata) if info else {}
        assert info is None or info.domain == "taskwire.dev"

    @property
    def fields(self) -> list[str]:
        return [violation.field for violation in self.details["BadRequest"].field_violations]


async def _refused(call: Any) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        if hasattr(call, "read"):
            async for _ in call:
                pass
        else:
            await call
    return Refusal(caught.value)


@pytest.fixture(scope="session")
def refused() -> Callable[..., Any]:
    """Give a function that awaits a call that must fail; streams are read to their end."""
    return _refused


@asynccontextmanager
async def _run_gateway(settings: Any, tenancy: Any = everyone_is_default) -> AsyncIterator[Api]:
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(settings, stop=stop, tenancy=tenancy, ready=lambda *addresses: ready.set_result(addresses))
    )
    await asyncio.wait((serving, ready), timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        await serving
    address, metrics = await asyncio.wait_for(ready, 1)
    api = Api(address)
    api.metrics = metrics
    api.stop = stop
    api.serving = serving
    try:
        yield api
    finally:
        stop.set()
        await asyncio.wait_for(serving, START_SECONDS)
        await api.channel.close()


@pytest.fixture
def gateway(settings: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function that runs a gateway for the time of a block."""

    def run(tenancy: Any = everyone_is_default, **given: Any) -> Any:
        return _run_gateway(settings(**{"grace_seconds": 2, **given}), tenancy)

    return run


@pytest.fixture
async def api(gateway: Callable[..., Any]) -> AsyncIterator[Api]:
    """A gateway with everything as usual."""
    async with gateway() as running:
        yield running


@pytest.fixture(scope="session")
def shared_gateway(postgres: Any, template_database: str, nats: Any) -> Callable[[str], Any]:
    """Give a function that runs a gateway with a database of its own, for fixtures that many tests share."""

    @asynccontextmanager
    async def run(name: str) -> AsyncIterator[tuple[Api, str]]:
        admin = await asyncpg.connect(postgres.url("postgres"))
        await admin.execute(f"CREATE DATABASE gateway_{name} TEMPLATE {template_database}")
        url = postgres.url(f"gateway_{name}")
        settings = Settings(
            listen="127.0.0.1:0",
            database_url=url,
            nats_url=nats.url,
            nats_prefix=f"gateway-{name}".replace("_", "-"),
            grace_seconds=2,
        )
        async with _run_gateway(settings) as running:
            yield running, url
        await admin.execute(f"DROP DATABASE gateway_{name} WITH (FORCE)")
        await admin.close()

    return run


def _tenant_of(context: Any) -> str:
    for name, value in context.invocation_metadata() or ():
        if name == "x-tenant":
            return value
    raise Unauthenticated


@pytest.fixture
async def tenants(gateway: Callable[..., Any]) -> AsyncIterator[Any]:
    """A gateway that is told the tenant in a header, and one caller of each of two tenants."""
    async with gateway(tenancy=_tenant_of) as running:

        class Caller:
            def __init__(self, tenant: str) -> None:
                self.metadata = (("x-tenant", tenant),)

            def __getattr__(self, method: str) -> Any:
                stub = getattr(running.tasks, method, None) or getattr(running.queues, method)
                return lambda request: stub(request, metadata=self.metadata)

        yield SimpleNamespace(api=running, a=Caller("a"), b=Caller("b"))


class Worker:
    """Plays a processor: moves tasks by the store's own statements, and strikes the bell."""

    def __init__(self, db: Any, bell: Bell) -> None:
        self.id = new_id()
        self._db = db
        self._bell = bell

    async def register(self) -> None:
        await processors.register(
            self._db,
            processors.Processor(id=self.id, queues=None, types=TYPES, concurrency=10, host="test"),
            lease_seconds=600,
        )

    async def claim(self, *ids: Any) -> list[Fence]:
        claimed = await claims.claim_rung(self._db, self.id, list(ids), TYPES, len(ids))
        assert len(claimed) == len(ids)
        self._bell.strike()
        return [Fence(task.id, task.attempt) for task in claimed]

    async def succeed(self, *fences: Fence, output: bytes = b"done") -> None:
        done = [Succeeded(fence, Payload(output, True)) for fence in fences]
        assert len(await completions.succeed(self._db, self.id, done)) == len(fences)
        self._bell.strike()

    async def fail(self, *fences: Fence, retry_in: float | None = None) -> None:
        failure = Failure("BROKEN", "It broke.", {"part": "wheel"})
        outcomes = [
            Failed(fence, failure, failure if retry_in is None else None, retry_in_seconds=retry_in) for fence in fences
        ]
        assert len(await completions.settle(self._db, self.id, outcomes)) == len(fences)
        self._bell.strike()

    async def report(self, fence: Fence, fraction: float, message: str = "") -> None:
        await completions.report_progress(
            self._db, self.id, [completions.ProgressReport(fraction=fraction, message=message, fence=fence)]
        )


@pytest.fixture
async def worker(db: Any, bus: Any) -> Worker:
    """A processor in the hand of the test."""
    worker = Worker(db, Bell(bus))
    await worker.register()
    return worker

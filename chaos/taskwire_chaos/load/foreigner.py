"""A caller of another tenant, who tries to get at the tasks of this one."""

from collections.abc import Sequence
from random import Random
from typing import Any

import grpc
import grpc.aio

from taskwire.v1 import task_service_pb2 as pb
from taskwire.v1.task_service_pb2_grpc import TaskServiceStub
from taskwire_chaos.journal import Call, Journal, Reply, Verdict
from taskwire_chaos.load.caller import fresh_op
from taskwire_chaos.planted.tenants import TENANT_KEY

_METADATA = ((TENANT_KEY, "foreign"),)
_SECONDS = 3.0


class Foreigner:
    """Asks for what it must not get."""

    def __init__(self, journal: Journal, addresses: Sequence[str], random: Random) -> None:
        self._journal = journal
        self._random = random
        self._channels = [grpc.aio.insecure_channel(address) for address in addresses]

    async def close(self) -> None:
        """Close the connections."""
        for channel in self._channels:
            await channel.close(None)

    async def try_all(self, task_id: str) -> None:
        """Try to get, cancel, watch and list a task of somebody else."""
        stub: Any = TaskServiceStub(self._random.choice(self._channels))
        watch = stub.WatchTask(pb.WatchTaskRequest(task_id=task_id), timeout=_SECONDS, metadata=_METADATA)
        await self._try("foreign.get", task_id, stub.GetTask, pb.GetTaskRequest(task_id=task_id))
        await self._try("foreign.cancel", task_id, stub.CancelTask, pb.CancelTaskRequest(task_id=task_id))
        await self._try("foreign.retry", task_id, stub.RetryTask, pb.RetryTaskRequest(task_id=task_id))
        await self._try("foreign.list", task_id, stub.ListTasks, pb.ListTasksRequest())
        await self._read(watch, task_id)

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
            tasks = response.tasks if method == "foreign.list" else (response.task,)
            self._journal.write(Reply(op=call.op, verdict="ok", tasks=tuple(task.id for task in tasks)))


def _verdict(error: grpc.RpcError) -> Verdict:
    return "fail" if error.code() is grpc.StatusCode.NOT_FOUND else "unknown"

"""A caller who does everything right, and must not notice anything."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import grpc

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire.v1.task_service_pb2_grpc import TaskServiceStub

PAUSE_SECONDS = 0.2
SECONDS_MAX = 20.0
"""For a call to be answered. The machine may be busy."""
COMPLAINTS_MAX = 5


class Canary:
    """Creates a task now and then, and reads it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.calls = 0
        self.seconds_max = 0.0
        self.complaints: list[str] = []
        self._stub = TaskServiceStub(channel)
        self._stop = asyncio.Event()
        self._singing = asyncio.ensure_future(self._sing())

    @classmethod
    @asynccontextmanager
    async def sing(cls, address: str) -> AsyncIterator[Self]:
        """Call until the end of the block, or until stopped."""
        async with grpc.aio.insecure_channel(address) as channel:
            canary = cls(channel)
            try:
                yield canary
            finally:
                await canary.stop()

    async def stop(self) -> None:
        """Make the last call."""
        self._stop.set()
        await self._singing

    async def _sing(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                await self._call()
            except grpc.aio.AioRpcError as error:
                if len(self.complaints) < COMPLAINTS_MAX:
                    self.complaints.append(f"a caller who does everything right got {error.code().name}")
            self.calls += 1
            self.seconds_max = max(self.seconds_max, time.monotonic() - began)
            try:
                async with asyncio.timeout(PAUSE_SECONDS):
                    await self._stop.wait()
            except TimeoutError:
                continue

    async def _call(self) -> None:
        task = task_pb2.Task(type="abuse.echo", queue="canary")
        created = await self._stub.CreateTask(pb.CreateTaskRequest(task=task), timeout=SECONDS_MAX)
        await self._stub.GetTask(pb.GetTaskRequest(task_id=created.task.id), timeout=SECONDS_MAX)

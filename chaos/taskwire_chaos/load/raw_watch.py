"""A watch by the generated stub alone, as a client in another language has it.

The client of this repository drops what a resumed call repeats. This one goes on where it was as the documentation of
the call says, and passes on whatever comes.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from taskwire.channel import translated
from taskwire.errors import InternalError, InvalidFields, NotAllowed, NotFound, ResumeTokenExpired, TaskwireError
from taskwire.task import TaskInfo
from taskwire.v1 import task_service_pb2 as pb

_SILENCE_SECONDS = 45.0
"""After three heartbeats that did not come the call is dead."""
_AGAIN_SECONDS = 0.2
_FINAL = (InternalError, InvalidFields, NotAllowed, NotFound, ResumeTokenExpired)
"""Errors that another call would meet again, and those that there must not be."""


async def raw_watch(stub: Any, task_id: str, after: int | None) -> AsyncGenerator[TaskInfo, None]:
    """Give every message about a task behind version `after`, until the service ends the watch."""
    request = pb.WatchTaskRequest(task_id=task_id, after_version=after)
    is_done = False
    while not is_done:
        try:
            with translated(_is_closed):
                async with aclosing(_messages(stub, request)) as messages:
                    async for message in messages:
                        if message.WhichOneof("event") == "task":
                            task = TaskInfo(message.task)
                            request.after_version, is_done = task.version, task.done
                            yield task
            return
        except _FINAL:
            raise
        except (TaskwireError, TimeoutError):
            await asyncio.sleep(_AGAIN_SECONDS)


async def _messages(stub: Any, request: pb.WatchTaskRequest) -> AsyncGenerator[pb.WatchTaskResponse, None]:
    """Give the messages of one call. Raises TimeoutError after too long a silence."""
    call = stub.WatchTask(request)
    messages = aiter(call)
    try:
        while True:
            async with asyncio.timeout(_SILENCE_SECONDS):
                try:
                    message = await anext(messages)
                except StopAsyncIteration:
                    return
            yield message
    finally:
        call.cancel()


def _is_closed() -> bool:
    return False

"""Reports reach those who follow."""

import asyncio
from uuid import UUID

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway.alarm import Alarm
from taskwire_gateway.convert import new_task
from taskwire_gateway.dispatcher import Dispatcher
from taskwire_gateway.progress_reader import ProgressReader
from taskwire_shared.store.creations import Creations


async def test_a_report_is_found_by_those_who_follow_a_running_task(db, worker):
    task = new_task("default", pb.CreateTaskRequest(task=task_pb2.Task(type="echo")))
    await Creations(db).create_tasks([task])
    (fence,) = await worker.claim(UUID(str(task.id)))
    await worker.report(fence, 0.75, "nearly")
    dispatcher, alarm = Dispatcher(), Alarm()
    with dispatcher.follow(task.id, alarm) as follower:
        follower.is_running = True
        reading = asyncio.create_task(ProgressReader(db, dispatcher).run())
        async with asyncio.timeout(10):
            while follower.progress is None:
                await alarm.wait(asyncio.get_running_loop().time() + 1)
        reading.cancel()
        await asyncio.wait((reading,))
    assert (follower.progress.fraction, follower.progress.message) == (0.75, "nearly")

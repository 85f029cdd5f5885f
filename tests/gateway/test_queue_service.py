"""Queues over a real server."""

from uuid import UUID

from taskwire.v1 import queue_service_pb2 as pb
from taskwire.v1 import task_service_pb2 as task_pb


async def test_a_queue_comes_with_its_first_task_and_shows_how_full_it_is(api, worker):
    tasks = [await api.create(queue="mail") for _ in range(3)]
    await worker.claim(UUID(tasks[0].id))
    queue = (await api.queues.GetQueue(pb.GetQueueRequest(queue="mail"))).queue
    assert (queue.name, queue.state) == ("mail", pb.QUEUE_STATE_ACTIVE)
    stats = queue.stats
    assert (stats.scheduled_count, stats.pending_count, stats.running_count) == (0, 2, 1)
    assert stats.oldest_pending_time == tasks[1].create_time
    assert stats.processor_count == 1
    assert stats.sample_time.seconds


async def test_a_queue_can_be_paused_and_resumed_again_and_again(api):
    task = await api.create(queue="mail")
    for _ in range(2):
        assert (await api.queues.PauseQueue(pb.PauseQueueRequest(queue="mail"))).queue.state == pb.QUEUE_STATE_PAUSED
    got = await api.tasks.GetTask(task_pb.GetTaskRequest(task_id=task.id))
    assert got.task.wait_reason == 3
    for _ in range(2):
        assert (await api.queues.ResumeQueue(pb.ResumeQueueRequest(queue="mail"))).queue.state == pb.QUEUE_STATE_ACTIVE


async def test_queues_are_listed_by_name_in_pages(api, refused):
    names = [f"q{number}" for number in range(5)]
    for name in reversed(names):
        await api.create(queue=name)
    seen, token = [], ""
    while True:
        page = await api.queues.ListQueues(pb.ListQueuesRequest(page_size=2, page_token=token))
        seen += [queue.name for queue in page.queues]
        assert not any(queue.HasField("stats") for queue in page.queues)
        token = page.next_page_token
        if not token:
            break
        spoilt = pb.ListQueuesRequest(page_token=token[:-1] + ("A" if token[-1] != "A" else "B"))
        assert (await refused(api.queues.ListQueues(spoilt))).fields == ["page_token"]
    assert seen == names

"""`taskwire queues`."""

import pytest

from taskwire.v1 import queue_service_pb2 as queues_pb

PAUSED = queues_pb.Queue(
    name="q", state=queues_pb.QUEUE_STATE_PAUSED, stats=queues_pb.QueueStats(pending_count=3, processor_count=0)
)


async def test_queues_are_listed(run, gateway) -> None:
    gateway.script("ListQueues", queues_pb.ListQueuesResponse(queues=[PAUSED]))

    assert (await run("queues", "--output", "text")).out.split() == ["QUEUE", "STATE", "q", "paused"]
    assert (await run("queues")).json_lines()[0]["name"] == "q"


async def test_queue_is_paused_and_shown(run, gateway) -> None:
    gateway.script("PauseQueue", queues_pb.PauseQueueResponse(queue=PAUSED))
    gateway.script("ResumeQueue", queues_pb.ResumeQueueResponse(queue=PAUSED))
    gateway.script("GetQueue", queues_pb.GetQueueResponse(queue=PAUSED))

    shown = (await run("queues", "q", "--pause", "--output", "text")).out
    await run("queues", "q", "--resume")

    kinds = [type(request).__name__ for request in gateway.requests]
    assert kinds == ["PauseQueueRequest", "GetQueueRequest", "ResumeQueueRequest", "GetQueueRequest"]
    assert "pending      3" in shown
    assert "processors   0" in shown


async def test_pause_needs_a_name(run, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        await run("queues", "--pause")
    assert "which queue" in capsys.readouterr().err

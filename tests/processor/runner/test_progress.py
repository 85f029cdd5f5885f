"""Progress on its way to control."""

import asyncio
import threading

from taskwire_processor.runner import wire
from taskwire_processor.runner.progress import ProgressBox


async def test_reports_of_threads_are_gathered_and_those_of_ended_attempts_dropped() -> None:
    sent: asyncio.Queue[wire.FromRunner] = asyncio.Queue()
    box = ProgressBox(sent.put_nowait)
    threads = [
        threading.Thread(target=lambda key=key: [box.report(key, step / 100, str(step)) for step in range(100)])
        for key in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    box.forget(1)
    heard = [await asyncio.wait_for(sent.get(), 5) for _ in range(2)]
    box.report(0, 1.0, "again")
    again = await asyncio.wait_for(sent.get(), 5)

    assert heard == [wire.Reported(0, 0.99, "99"), wire.Reported(2, 0.99, "99")]
    assert again == wire.Reported(0, 1.0, "again")
    assert sent.empty()

"""A process that watches everything, and goes on where it was when it was killed."""

import asyncio
import signal
from contextlib import aclosing

from taskwire.client import Client
from taskwire.errors import TaskwireError
from taskwire_chaos.journal import Journal, Seen, WatchEnded, WatchOpened, read_last
from taskwire_chaos.layout import RunFolder
from taskwire_chaos.load.plan import WatchPlan


async def watch_for_ever(plan: WatchPlan, folder: RunFolder) -> None:
    """Write down every change until killed; after SIGTERM without a pause. A line says what came and where to go on."""
    token = _last_token(plan, folder)
    hurry = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, hurry.set)
    with Journal(folder.journal(plan.who)) as journal:
        async with Client(plan.address) as client:
            try:
                await _follow(client, journal, plan, token, hurry)
            except TaskwireError as error:
                journal.write(WatchEnded(watch=plan.who, how=error.reason or error.code.name))


async def _follow(client: Client, journal: Journal, plan: WatchPlan, token: str, hurry: asyncio.Event) -> None:
    async with aclosing(client.watch_all(resume_token=token or None)) as feed:
        async for changes in feed:
            if not token:
                token = changes.resume_token
                journal.write(WatchOpened(watch=plan.who, token=token))
            seen = tuple((task.id, task.version, int(task.state), task.attempt_count) for task in changes.tasks)
            if seen:
                journal.write(Seen(watch=plan.who, changes=seen, token=changes.resume_token))
            if not hurry.is_set():
                await asyncio.sleep(plan.slow_seconds)


def _last_token(plan: WatchPlan, folder: RunFolder) -> str:
    file = folder.journal(plan.who)
    if not file.exists():
        return ""
    last = read_last(file, (WatchOpened, Seen))
    return last.token if isinstance(last, WatchOpened | Seen) else ""

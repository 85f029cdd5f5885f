"""A process that watches everything, and goes on where it was when it was killed."""

import asyncio
import signal
from contextlib import aclosing

from taskwire.client import Client
from taskwire.errors import ResumeTokenExpired, TaskwireError
from taskwire_chaos.journal import Journal, Seen, WatchEnded, WatchOpened, read_last
from taskwire_chaos.layout import RunFolder
from taskwire_chaos.load.plan import WatchPlan

_AGAIN = "+"
"""Put behind the name of a watch that was begun anew."""


async def watch_for_ever(plan: WatchPlan, folder: RunFolder) -> None:
    """Write down every change until killed; after SIGTERM without a pause. A line says what came and where to go on."""
    watch, token = _where_it_was(plan, folder)
    hurry = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, hurry.set)
    with Journal(folder.journal(plan.who)) as journal:
        async with Client(plan.address) as client:
            while True:
                try:
                    await _follow(client, journal, watch, token, plan.slow_seconds, hurry)
                except ResumeTokenExpired as error:
                    # As its documentation says: begin anew. Whether it may happen is for the validator to say.
                    journal.write(WatchEnded(watch=watch, how=error.reason))
                    watch, token = f"{watch}{_AGAIN}", ""
                except TaskwireError as error:
                    journal.write(WatchEnded(watch=watch, how=error.reason or error.code.name))
                    return


async def _follow(
    client: Client, journal: Journal, watch: str, token: str, slow_seconds: float, hurry: asyncio.Event
) -> None:
    async with aclosing(client.watch_all(resume_token=token or None)) as feed:
        async for changes in feed:
            if not token:
                token = changes.resume_token
                journal.write(WatchOpened(watch=watch, token=token))
            seen = tuple((task.id, task.version, int(task.state), task.attempt_count) for task in changes.tasks)
            if seen:
                journal.write(Seen(watch=watch, changes=seen, token=changes.resume_token))
            if not hurry.is_set():
                await asyncio.sleep(slow_seconds)


def _where_it_was(plan: WatchPlan, folder: RunFolder) -> tuple[str, str]:
    """Return the name of the watch and the token to go on from; none is there at the first start."""
    file = folder.journal(plan.who)
    last = read_last(file, (WatchOpened, Seen)) if file.exists() else None
    return (last.watch, last.token) if isinstance(last, WatchOpened | Seen) else (plan.who, "")

"""What is tried at rest, when nothing else happens: how soon tasks start, stop when cancelled, and are taken back."""

import asyncio
from contextlib import aclosing
from random import Random
from typing import Any
from uuid import UUID

from taskwire.client import Client
from taskwire.errors import TaskwireError
from taskwire.ids import fresh_task_id
from taskwire.task import TaskState
from taskwire_chaos.handlers import Wish
from taskwire_chaos.journal import Call, CancelTook, Prompt, Recovered, Reply, Struck
from taskwire_chaos.load.caller import failed_reply
from taskwire_chaos.load.kinds import PATIENT_ATTEMPTS, TRIAL
from taskwire_chaos.site import Site

PROMPTS = 15
SECONDS_MAX = 30.0
"""How long a trial may take before it counts as having taken that long."""
_TASK_MS = 4_000
"""For those that are cancelled or lose their processor."""

_WAITED = "SELECT extract(epoch FROM started_at - created_at)::float8 FROM tasks WHERE id = $1"
_HELD_BY = "SELECT processor::text FROM tasks WHERE id = $1 AND state = 3"
_BACK_AFTER = """
SELECT extract(epoch FROM min(at) FILTER (WHERE version = 3) - to_timestamp($2))::float8
FROM task_events WHERE task_id = $1
"""


class Trials:
    """Tries one thing after the other."""

    def __init__(self, site: Site, client: Client, random: Random) -> None:
        self._site = site
        self._client = client
        self._random = random

    async def try_promptness(self) -> None:
        """Create tasks one by one and write down how long each waited for its start."""
        for _ in range(PROMPTS):
            await asyncio.sleep(self._random.uniform(0.05, 0.35))
            task_id = await self._create("chaos.work", 0)
            has_ended = await self._reaches(task_id, TaskState.SUCCEEDED)
            seconds = await self._ask(_WAITED, UUID(task_id)) if has_ended else None
            self._site.journal.write(Prompt(task=task_id, seconds=SECONDS_MAX if seconds is None else seconds))

    async def try_cancels(self) -> None:
        """Cancel a handler that stops when it is told to and one that does not, and write down how long it took."""
        for type_ in ("chaos.work", "chaos.stubborn"):
            task_id = await self._create(type_, _TASK_MS * 10)
            await self._reaches(task_id, TaskState.RUNNING)
            loop = asyncio.get_running_loop()
            started = loop.time()
            await self._cancel(task_id)
            has_ended = await self._reaches(task_id, TaskState.CANCELLED)
            seconds = loop.time() - started if has_ended else SECONDS_MAX
            self._site.journal.write(CancelTook(task=task_id, is_stubborn=type_ == "chaos.stubborn", seconds=seconds))

    async def try_recovery(self) -> None:
        """Kill the processor of a running task, and write down how long it took until the task was pending again."""
        task_id = await self._create("chaos.work", _TASK_MS)
        await self._reaches(task_id, TaskState.RUNNING)
        held_by = await self._ask(_HELD_BY, UUID(task_id))
        victim = next((one for one in self._site.processors if one.service.ready.id == held_by), None)
        if victim is None:
            # It has taken a new id since it began, and nobody outside can say which processor it is.
            return
        struck = Struck(fault="kill at rest", target=victim.name)
        self._site.journal.write(struck)
        await victim.kill()
        await self._reaches(task_id, TaskState.SUCCEEDED)
        seconds = await self._ask(_BACK_AFTER, UUID(task_id), struck.at)
        self._site.journal.write(Recovered(task=task_id, seconds=SECONDS_MAX if seconds is None else seconds))
        await self._site.steady()

    async def _create(self, type_: str, milliseconds: int) -> str:
        task_id = fresh_task_id()
        call = Call(op=task_id, method="create", tasks=(task_id,), content=task_id, kind=TRIAL)
        self._site.journal.write(call)
        try:
            wish = Wish(ms=milliseconds, tag=task_id)
            await self._client.create(type_, wish, task_id=task_id, max_attempts=PATIENT_ATTEMPTS)
        except TaskwireError as error:
            self._site.journal.write(failed_reply(task_id, error))
        else:
            self._site.journal.write(Reply(op=task_id, verdict="ok", tasks=(task_id,)))
        return task_id

    async def _cancel(self, task_id: str) -> None:
        call = Call(op=fresh_task_id(), method="cancel", tasks=(task_id,))
        self._site.journal.write(call)
        try:
            task = await self._client.cancel(task_id)
        except TaskwireError as error:
            self._site.journal.write(failed_reply(call.op, error))
        else:
            reply = Reply(op=call.op, verdict="ok", tasks=(task.id,), states=(task.state,), versions=(task.version,))
            self._site.journal.write(reply)

    async def _reaches(self, task_id: str, state: TaskState) -> bool:
        try:
            async with asyncio.timeout(SECONDS_MAX), aclosing(self._client.watch(task_id, after_version=0)) as versions:
                async for task in versions:
                    if task.state == state:
                        return True
        except (TaskwireError, TimeoutError):
            pass
        return False

    async def _ask(self, statement: str, *values: object) -> Any:
        async with self._site.connection() as connection:
            return await connection.fetchval(statement, *values)

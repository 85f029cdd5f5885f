"""What clients do, one operation after the other."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random

import msgspec

from taskwire.client import Client
from taskwire.ids import fresh_task_id
from taskwire.requests import NewTask
from taskwire.task import TaskInfo
from taskwire_chaos.handlers import Wish
from taskwire_chaos.journal import Call, Reply
from taskwire_chaos.load.caller import Caller, fresh_op
from taskwire_chaos.load.foreigner import Foreigner
from taskwire_chaos.load.kinds import KINDS, PATIENT_ATTEMPTS, POISON, any_kind
from taskwire_chaos.load.watches import Watches

_REPEATS_MAX = 3
"""How often a create of which nobody knows what came is sent again."""
_REPEAT_SECONDS = 0.3
_RECENT_TASKS = 50
_BATCH_TASKS_MAX = 40
_RACE_TASKS_MAX = 10
_RACE_TASK_MS = 300
"""Long enough to be seen running in time on a machine that is slow."""
_RACE_SECONDS_MAX = 5.0
"""How long to wait for a task of a race to begin; then it is cancelled wherever it is."""
_RACE_OPEN_MS_MAX = 10.0
"""How long after they were created tasks of a race are watched: at about the moment when they are claimed."""
_RACE_JITTER_MS = 10.0
_RACE_STEP_MS = 5.0
"""How much sooner the next cancel is sent when one came too late, and later when it came in time."""


class Operations:
    """The operations by name. Each ends by itself within some calls."""

    def __init__(self, caller: Caller, watches: Watches, foreigner: Foreigner, random: Random) -> None:
        self._caller = caller
        self._watches = watches
        self._foreigner = foreigner
        self._random = random
        self._recent: deque[str] = deque(maxlen=_RECENT_TASKS)
        self._race_ms = float(_RACE_TASK_MS)
        """How long after a task was seen running it is cancelled: learnt, so that half of the cancels come too late."""
        self.by_name: dict[str, Callable[[], Awaitable[None]]] = {
            "create": self._create_any,
            "key": self._create_with_key,
            "conflict": self._create_conflicting,
            "batch": self._create_batches,
            "cancel": self._cancel,
            "race": self._race,
            "get": self._get,
            "watch": self._watch,
            "foreign": self._try_foreign,
            "poison": self._create_poison,
            "stubborn": self._cancel_stubborn,
            "long": self._create_long,
            "slow": self._create_slow,
        }

    async def _create_any(self) -> None:
        await self._create(any_kind(self._random))

    async def _create_poison(self) -> None:
        await self._create(self._random.choice(list(POISON)))

    async def _create_long(self) -> None:
        await self._create("long")

    async def _create_slow(self) -> None:
        await self._create("slow")

    async def _create(self, kind: str, *, task_id: str = "") -> str:
        """Create a task, again and again while nobody knows whether it is there. Returns its id."""
        task_id = task_id or fresh_task_id()
        new = _named((KINDS | POISON)[kind](self._random, task_id), task_id)
        for _ in range(_REPEATS_MAX):
            call = Call(op=fresh_op(), method="create", tasks=(task_id,), content=_content(new), kind=kind)
            reply = await self._caller.call(call, lambda client: _create(client, new))
            if reply.verdict != "unknown":
                break
            await asyncio.sleep(self._random.uniform(0, _REPEAT_SECONDS))
        self._recent.append(task_id)
        return task_id

    async def _create_with_key(self) -> None:
        """Use a key several times at the same moment, now and then with another content."""
        key = fresh_op()
        new = KINDS["brief"](self._random, key)
        other = KINDS["brief"](self._random, f"other {key}") if self._random.random() < 0.3 else new
        await asyncio.gather(*(self._use_key(key, one) for one in (new, new, other)))

    async def _use_key(self, key: str, new: NewTask) -> None:
        # Without an id of their own each would be the same task by its id alone.
        new = msgspec.structs.replace(new, idempotency_key=key, labels={"key": key})
        call = Call(op=fresh_op(), method="create", key=key, content=_content(new))
        await self._caller.call(call, lambda client: _create(client, new))

    async def _create_conflicting(self) -> None:
        """Use an id twice with different contents."""
        task_id = fresh_task_id()
        for tag in ("one", "other"):
            new = _named(KINDS["brief"](self._random, f"{tag} {task_id}"), task_id)
            call = Call(op=fresh_op(), method="create", tasks=(task_id,), content=_content(new))
            await self._caller.call(call, lambda client, new=new: _create(client, new))  # type: ignore[misc]

    async def _create_batches(self) -> None:
        """Send the same tasks twice at the same moment, in different orders."""
        count = self._random.randint(2, _BATCH_TASKS_MAX)
        ids = [fresh_task_id() for _ in range(count)]
        new = [_named(KINDS["brief"](self._random, one), one) for one in ids]
        shuffled = self._random.sample(new, count)
        await asyncio.gather(*(self._create_batch(batch) for batch in (new, shuffled)))

    async def _create_batch(self, batch: Sequence[NewTask]) -> Reply:
        ids = tuple(one.task_id or "" for one in batch)
        call = Call(op=fresh_op(), method="create", tasks=ids, content="batch")

        async def act(client: Client) -> Sequence[TaskInfo]:
            return await client.create_many(batch)

        return await self._caller.call(call, act)

    async def _cancel(self) -> None:
        """Cancel something, whatever it is doing by now."""
        task_id = await self._create(self._random.choice(("long", "thread", "delayed", "process", "stubborn")))
        await asyncio.sleep(self._random.uniform(0, 1))
        await self._cancel_task(task_id)

    async def _race(self) -> None:
        """Create tasks, watch them when they are about to be claimed, and cancel them when they are about to end."""
        ids = [fresh_task_id() for _ in range(self._random.randint(2, _RACE_TASKS_MAX))]
        wish = {one: Wish(ms=_RACE_TASK_MS, tag=one) for one in ids}
        batch = [NewTask(type="chaos.work", input=wish[one], task_id=one, max_attempts=PATIENT_ATTEMPTS) for one in ids]
        reply = await self._create_batch(batch)
        if reply.verdict == "ok":
            await asyncio.gather(*map(self._race_task, ids))

    async def _race_task(self, task_id: str) -> None:
        await asyncio.sleep(self._random.uniform(0, _RACE_OPEN_MS_MAX / 1000))
        running = asyncio.Event()
        self._watches.open(task_id, running)
        with suppress(TimeoutError):
            async with asyncio.timeout(_RACE_SECONDS_MAX):
                await running.wait()
        jitter = self._random.uniform(-_RACE_JITTER_MS, _RACE_JITTER_MS)
        await asyncio.sleep(max(0, self._race_ms + jitter) / 1000)
        self._watches.open(task_id)
        reply = await self._cancel_task(task_id)
        if reply.verdict != "unknown":
            step = _RACE_STEP_MS if reply.verdict == "ok" else -_RACE_STEP_MS
            self._race_ms = min(max(0.0, self._race_ms + step), 2 * _RACE_TASK_MS)

    async def _cancel_stubborn(self) -> None:
        """Cancel a running handler that does not care."""
        task_id = await self._create("stubborn")
        await asyncio.sleep(self._random.uniform(0.3, 0.8))
        await self._cancel_task(task_id)

    async def _cancel_task(self, task_id: str) -> Reply:
        call = Call(op=fresh_op(), method="cancel", tasks=(task_id,))

        async def act(client: Client) -> Sequence[TaskInfo]:
            return [await client.cancel(task_id)]

        return await self._caller.call(call, act)

    async def _get(self) -> None:
        if not self._recent:
            return
        task_id = self._random.choice(self._recent)

        async def act(client: Client) -> Sequence[TaskInfo]:
            return [await client.get(task_id)]

        await self._caller.call(Call(op=fresh_op(), method="get", tasks=(task_id,)), act)

    async def _watch(self) -> None:
        """Open a watch at about the moment when the task is created, or runs, or ends."""
        task_id = fresh_task_id()
        creating = asyncio.create_task(self._create(self._random.choice(("brief", "flaky", "thread")), task_id=task_id))
        try:
            for _ in range(self._random.randint(1, 3)):
                await asyncio.sleep(self._random.uniform(0.005, 0.1))
                self._watches.open(task_id)
        finally:
            await creating

    async def _try_foreign(self) -> None:
        if self._recent:
            await self._foreigner.try_all(self._random.choice(self._recent))


def _named(new: NewTask, task_id: str) -> NewTask:
    return msgspec.structs.replace(new, task_id=task_id)


def _content(new: NewTask) -> str:
    return str(new.input.tag)


async def _create(client: Client, new: NewTask) -> Sequence[TaskInfo]:
    fields = {name: getattr(new, name) for name in new.__struct_fields__ if name not in {"type", "input"}}
    return [await client.create(new.type, new.input, **fields)]

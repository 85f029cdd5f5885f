"""The ear of a processor: hears the rings of its queues, as many as it has room for."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from uuid import UUID, uuid4

from nats.aio.msg import Msg

from taskwire_shared.bus.bells import QueueNews
from taskwire_shared.bus.connection import Bus, BusUnavailableError
from taskwire_shared.bus.ring_line import RingLine, deliveries, has_more
from taskwire_shared.bus.ring_stream import RingStream
from taskwire_shared.bus.rings import MalformedRingError, unpack
from taskwire_shared.domain.errors import TaskwireError
from taskwire_shared.domain.task import TaskPriority
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

QUEUES_SECONDS = 15.0
"""Between two looks at which queues there are. News of a queue comes sooner."""
NEWS_SECONDS = 0.2
"""The least time between two looks, however much news there is."""
BATCH_RINGS_MAX = 64
"""In requests to a consumer with a backlog; renewed when half has come, so that the pipe never runs dry."""
STANDING_RINGS_MAX = 8
"""In requests to a consumer without one. More would let one processor grab what others have room for."""
HOLD_SECONDS = 0.1
"""How long a ring that is no longer wanted is kept in case there is room again, before others get it."""
FULL_SECONDS = 0.05
"""Who has wanted nothing for longer than this is busy for long: others get the ring at once."""
HELD_RINGS_MAX = 256
YIELD_SECONDS = 0.1
"""How long lower priorities are not asked for after a ring of a higher one that had more behind it."""
HEARTBEAT_SECONDS_MIN = 5.0
HEARTBEAT_SECONDS_MAX = 30.0
HEARTBEATS_PER_SECOND_MAX = 100
"""Of all lines together: with many queues each has fewer, so that silence stays cheap."""
EXPIRY_HEARTBEATS = 3
MISSED_HEARTBEATS = 2.5
LOOK_SECONDS = 1.0
"""Between two looks for lines that went silent."""
MEND_SECONDS_MIN = 0.1
MEND_SECONDS_MAX = 5.0
MENDERS_MAX = 16
"""Consumers made at the same time."""
IDS_PER_RING_WEIGHT = 1 / 16
PASS_ON_SECONDS = 0.1
"""Before a ring that was passed on is heard again for the first time. It doubles with each time."""
DELIVERIES_MAX = 6
"""Of a ring that is passed on again and again: 3 s after the first each processor has looked by itself."""
_NANOSECONDS = 1_000_000_000

log = logs.get(__name__)


class Ring:
    """Tasks said to be ready. To be acknowledged as soon as they are claimed, or refused for others to take."""

    __slots__ = ("_bus", "_reply", "ids", "priority", "queue")

    def __init__(self, bus: Bus, reply: str, ids: tuple[UUID, ...], line: RingLine) -> None:
        self._bus = bus
        self._reply = reply
        self.ids = ids
        self.queue = line.queue
        self.priority = line.priority

    def ack(self) -> None:
        """Let nobody else hear it. Without this another processor does after `ring_stream.ACK_SECONDS`."""
        self._bus.publish(self._reply, b"+ACK")

    def pass_on(self) -> None:
        """Let somebody hear it a little later: what it names still waits, but not for us."""
        count = deliveries(self._reply)
        if count >= DELIVERIES_MAX:
            self.ack()
        else:
            delay = int(PASS_ON_SECONDS * 2 ** (count - 1) * _NANOSECONDS)
            self._bus.publish(self._reply, f'-NAK {{"delay": {delay}}}'.encode())

    def refuse(self) -> None:
        """Let somebody else hear it at once."""
        self._bus.publish(self._reply, b"-NAK")


class Ear:
    """Keeps requests for rings with NATS, in proportion to what is wanted, and mends whatever NATS has forgotten."""

    def __init__(self, bus: Bus, queues: Callable[[], Awaitable[Iterable[str]]], *, replicas: int = 1) -> None:
        """Listen on `bus` to the queues that `queues` names; it is asked again and again and may fail.

        `replicas` of the rings are kept by as many servers.
        """
        self.signs = 0
        """Messages from the server on our own subjects, those that only say that a request still stands included."""
        self.heard = 0
        """Rings delivered."""
        self.refused = 0
        """Rings that came when no more were wanted and went to others."""
        self.malformed = 0
        """Messages that were no rings: acknowledged and forgotten."""
        self._bus = bus
        self._queues = queues
        self._stream = RingStream(bus, replicas=replicas)
        self._inbox = f"_INBOX.{uuid4().hex}"
        self._lines: dict[str, RingLine] = {}
        self._by_token: dict[str, RingLine] = {}
        self._dry: dict[str, RingLine] = {}
        self._held: dict[TaskPriority, deque[Ring]] = {priority: deque() for priority in reversed(TaskPriority)}
        self._deliver: Callable[[Ring], None] = Ring.refuse
        self._wanted = 0
        self._full_since = 0.0
        self._ids_per_ring = 1.0
        self._yield_until = dict.fromkeys(TaskPriority, 0.0)
        self._revival: asyncio.TimerHandle | None = None
        self._release: asyncio.TimerHandle | None = None
        self._broken = asyncio.Event()
        self._news = asyncio.Event()

    def wanted(self, ids: int) -> None:
        """Say how many more ids are welcome from now on, in all. A ring is delivered while that is above 0."""
        self._set_wanted(ids)
        for held in self._held.values():
            while held and self._wanted > 0:
                self._give(held.popleft())
        if self._wanted > 0 and self._dry:
            self._revive()

    async def listen(self, deliver: Callable[[Ring], None]) -> None:
        """Call `deliver` with rings until cancelled. It is called on the event loop and may only take note."""
        self._deliver = deliver
        rings = self._bus.listen(f"{self._inbox}.*.*", self._hear)
        news = QueueNews(self._bus).listen(lambda _: self._news.set())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_links())
                group.create_task(self._follow_queues())
                group.create_task(self._keep_lines())
        finally:
            rings.close()
            news.close()
            self._stop()

    def _stop(self) -> None:
        self._wanted = 0
        self._lines.clear()
        self._refuse_held()
        for timer in (self._revival, self._release):
            if timer is not None:
                timer.cancel()

    # What arrives.

    def _hear(self, message: Msg) -> None:
        self.signs += 1
        line = self._lines.get(message.subject)
        if line is not None:
            self._hear_ring(line, message)
        elif message.subject.startswith(self._inbox):
            self._hear_status(message)
        elif message.reply:
            self._bus.publish(message.reply, b"-NAK")

    def _hear_ring(self, line: RingLine, message: Msg) -> None:
        now = asyncio.get_running_loop().time()
        line.returned(1)
        line.has_backlog = has_more(message.reply)
        line.silent_until = now + self._patience()
        if line.has_backlog:
            self._yield_to(line.priority, now)
        try:
            ring = Ring(self._bus, message.reply, unpack(message.data), line)
        except MalformedRingError:
            self.malformed += 1
            self._bus.publish(message.reply, b"+ACK")
        else:
            self._ids_per_ring += (len(ring.ids) - self._ids_per_ring) * IDS_PER_RING_WEIGHT
            self._take(ring)
        self._ask(line)

    def _hear_status(self, message: Msg) -> None:
        _, token, epoch = message.subject.rsplit(".", 2)
        line = self._by_token.get(token)
        if line is None or epoch != str(line.epoch):
            return
        headers = message.headers or {}
        status = headers.get("Status", "")
        line.silent_until = asyncio.get_running_loop().time() + self._patience()
        if status == "100":
            return
        if status in {"404", "408"} or headers.get("Description", "").startswith("Batch Completed"):
            line.has_backlog = False
            line.returned(int(headers.get("Nats-Pending-Messages", line.requested)))
            self._ask(line)
        else:
            line.broke()
            self._broken.set()

    # What is delivered.

    def _take(self, ring: Ring) -> None:
        now = asyncio.get_running_loop().time()
        if self._wanted > 0:
            self._give(ring)
        elif now > self._full_since + FULL_SECONDS or sum(map(len, self._held.values())) >= HELD_RINGS_MAX:
            self.refused += 1
            ring.refuse()
        else:
            self._held[ring.priority].append(ring)
            if self._release is None:
                self._release = asyncio.get_running_loop().call_later(HOLD_SECONDS, self._refuse_held)

    def _give(self, ring: Ring) -> None:
        self._set_wanted(self._wanted - len(ring.ids))
        self.heard += 1
        self._deliver(ring)

    def _set_wanted(self, ids: int) -> None:
        if ids <= 0 < self._wanted:
            self._full_since = asyncio.get_running_loop().time()
        self._wanted = ids

    def _refuse_held(self) -> None:
        self._release = None
        for held in self._held.values():
            while held:
                self.refused += 1
                held.popleft().refuse()

    # What is asked for.

    def _ask(self, line: RingLine) -> None:
        if not line.is_ready:
            return
        if self._wanted <= 0 or self._must_yield(line):
            self._dry[line.subject] = line
            return
        self._dry.pop(line.subject, None)
        most = BATCH_RINGS_MAX if line.has_backlog else STANDING_RINGS_MAX
        target = max(1, min(most, int(self._wanted / self._ids_per_ring)))
        if line.requested * 2 > target:
            return
        if not line.requested:
            line.silent_until = asyncio.get_running_loop().time() + self._patience()
        if self._bus.publish(*self._request(line, target - line.requested)):
            line.requested = target
        else:
            # Nothing can be sent at the moment. It is tried again with the next look for lines that went silent.
            self._dry[line.subject] = line

    def _request(self, line: RingLine, rings: int) -> tuple[str, bytes, str]:
        heartbeat = int(self._heartbeat() * _NANOSECONDS)
        request = f'{{"batch":{rings},"expires":{heartbeat * EXPIRY_HEARTBEATS},"idle_heartbeat":{heartbeat}}}'
        reply = f"{self._inbox}.{line.token}.{line.epoch}"
        return self._stream.next_subject(line.consumer), request.encode(), reply

    def _heartbeat(self) -> float:
        fair = len(self._lines) / HEARTBEATS_PER_SECOND_MAX
        return min(HEARTBEAT_SECONDS_MAX, max(HEARTBEAT_SECONDS_MIN, fair))

    def _patience(self) -> float:
        return self._heartbeat() * MISSED_HEARTBEATS

    def _yield_to(self, priority: TaskPriority, now: float) -> None:
        for lower in TaskPriority:
            if lower < priority:
                self._yield_until[lower] = now + YIELD_SECONDS

    def _must_yield(self, line: RingLine) -> bool:
        until = self._yield_until[line.priority]
        loop = asyncio.get_running_loop()
        if loop.time() >= until:
            return False
        if self._revival is None:
            self._revival = loop.call_at(until, self._revive)
        return True

    def _revive(self) -> None:
        if self._revival is not None:
            self._revival.cancel()
            self._revival = None
        for line in list(self._dry.values()):
            self._ask(line)

    # What keeps it going.

    async def _follow_links(self) -> None:
        number = 0
        while True:
            number = await self._bus.connected(number)
            for line in self._lines.values():
                line.broke()
            self._broken.set()

    async def _follow_queues(self) -> None:
        while True:
            try:
                self._serve(frozenset(await self._queues()))
            except TaskwireError as error:
                log.warning(Event.RINGS_QUEUES_UNKNOWN, exc_info=error)
            await asyncio.sleep(NEWS_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(QUEUES_SECONDS * random.uniform(0.8, 1.2)):  # noqa: S311 - only jitter
                    await self._news.wait()
            self._news.clear()

    def _serve(self, queues: frozenset[str]) -> None:
        for line in [line for line in self._lines.values() if line.queue not in queues]:
            del self._lines[line.subject], self._by_token[line.token]
            self._dry.pop(line.subject, None)
        for queue in queues - {line.queue for line in self._lines.values()}:
            for priority in TaskPriority:
                line = RingLine(self._bus.prefix, queue, priority)
                self._lines[line.subject] = self._by_token[line.token] = line
            self._broken.set()

    async def _keep_lines(self) -> None:
        pause = MEND_SECONDS_MIN
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._broken.wait()
            self._broken.clear()
            try:
                await self._mend()
                pause = MEND_SECONDS_MIN
            except BusUnavailableError as error:
                log.debug(Event.RINGS_UNHEARD, exc_info=error)
                self._broken.set()
                pause = min(MEND_SECONDS_MAX, pause * 2)
            self._revive()
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - only jitter

    async def _mend(self) -> None:
        now = asyncio.get_running_loop().time()
        for line in self._lines.values():
            if line.requested and line.silent_until < now:
                line.broke()
        broken = [line for line in self._lines.values() if not line.is_ready]
        if not broken or not self._bus.is_connected:
            return
        await self._stream.ensure()
        for start in range(0, len(broken), MENDERS_MAX):
            group = map(self._mend_line, broken[start : start + MENDERS_MAX])
            for result in await asyncio.gather(*group, return_exceptions=True):
                if result is not None:
                    raise result

    async def _mend_line(self, line: RingLine) -> None:
        number = self._bus.links
        await self._stream.ensure_consumer(line.consumer, line.subject)
        if number == self._bus.links:
            line.made()
            self._ask(line)

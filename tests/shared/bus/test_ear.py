import asyncio
import os
import signal
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from taskwire_dev.nats import EmbeddedNats
from taskwire_shared.bus import ear
from taskwire_shared.bus.bells import QueueNews
from taskwire_shared.bus.connection import Bus
from taskwire_shared.bus.ear import Ear
from taskwire_shared.bus.ring_stream import ACK_SECONDS, RingStream
from taskwire_shared.bus.rings import RING_IDS_MAX, RING_IDS_MIN, Ringer, ring_subject
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.ready import Ready
from taskwire_shared.domain.task import TaskPriority

RECOVERY_SECONDS = 20.0


class Owner:
    """Stands for a claimer: takes rings, and acknowledges them unless told otherwise."""

    def __init__(self, bus, queues=("mail",), room=1000):
        self.queues = set(queues)
        self.is_store_away = False
        self.acknowledges = True
        self.rings = []
        self.ear = Ear(bus, self._names)
        self.ear.wanted(room)
        self._came = asyncio.Event()

    async def _names(self):
        if self.is_store_away:
            raise BackendUnavailable
        return set(self.queues)

    def hear(self, ring):
        self.rings.append(ring)
        if self.acknowledges:
            ring.ack()
        self._came.set()

    @property
    def ids(self):
        return [identifier for ring in self.rings for identifier in ring.ids]

    async def has(self, ids, seconds=RECOVERY_SECONDS):
        async with asyncio.timeout(seconds):
            while not set(ids) <= set(self.ids):
                self._came.clear()
                await self._came.wait()

    @asynccontextmanager
    async def listening(self):
        task = asyncio.create_task(self.ear.listen(self.hear))
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.result()


@asynccontextmanager
async def attentive(bus, eventually, **options):
    """An owner whose consumers have been made."""
    owner = Owner(bus, **options)
    async with owner.listening():
        await is_served(owner, eventually)
        yield owner


async def is_served(owner, eventually, seconds=RECOVERY_SECONDS):
    def ready():
        lines = owner.ear._lines.values()
        return len(lines) == 3 * len(owner.queues) and all(line.is_ready for line in lines)

    await eventually(ready, timeout=seconds)


def tasks(count, queue="mail", priority=TaskPriority.NORMAL):
    return [Ready(new_id(), queue, priority) for _ in range(count)]


def ids_of(ready):
    return [one.id for one in ready]


async def ring_until_heard(bus, owner, seconds=RECOVERY_SECONDS):
    """Ring for a task ten times a second until it is heard, as traffic would."""
    ready = tasks(1)
    async with asyncio.timeout(seconds):
        while ready[0].id not in owner.ids:
            Ringer(bus).ring(ready)
            await asyncio.wait([asyncio.create_task(owner._came.wait())], timeout=0.1)
            owner._came.clear()


@pytest.fixture
async def server(tmp_path):
    async with EmbeddedNats(tmp_path) as running:
        yield running


async def test_a_ring_that_is_passed_on_is_heard_later_and_not_for_ever(bus, eventually, monkeypatch):
    monkeypatch.setattr(ear, "PASS_ON_SECONDS", 0.001)
    ready = tasks(1)
    async with attentive(bus, eventually) as owner:
        owner.acknowledges = False
        Ringer(bus).ring(ready)
        for count in range(1, ear.DELIVERIES_MAX + 1):
            await eventually(lambda count=count: len(owner.rings) == count)
            owner.rings[-1].pass_on()
        await eventually(lambda: rings_left(bus, 0))

    assert owner.ids == ids_of(ready) * ear.DELIVERIES_MAX


async def rings_left(bus, count):
    answer = await bus.request(f"$JS.API.STREAM.INFO.{RingStream(bus).name}", b"")
    return f'"messages":{count},'.encode() in answer


async def test_a_line_whose_request_could_not_be_sent_asks_again(bus, eventually, monkeypatch):
    async with attentive(bus, eventually, room=0) as owner:
        with monkeypatch.context() as full:
            full.setattr(bus, "publish", lambda *_: False)
            owner.ear.wanted(10)
        ready = tasks(1)
        Ringer(bus).ring(ready)
        await owner.has(ids_of(ready))


async def test_every_ring_is_heard_once(bus, eventually):
    ready = [*tasks(500), *tasks(300, priority=TaskPriority.LOW), *tasks(10, priority=TaskPriority.HIGH)]
    async with attentive(bus, eventually) as owner:
        for start in range(0, len(ready), 7):
            Ringer(bus).ring(ready[start : start + 7])
        await owner.has(ids_of(ready))
        assert Counter(owner.ids) == Counter(ids_of(ready))


async def test_rings_wait_for_the_first_listener(bus, eventually):
    await RingStream(bus).ensure()
    ready = tasks(3)
    Ringer(bus).ring(ready)
    async with attentive(bus, eventually) as owner:
        await owner.has(ids_of(ready))


async def test_two_processors_share_the_rings_of_a_queue(bus, eventually):
    ready = tasks(200)
    async with attentive(bus, eventually, room=10_000) as one, attentive(bus, eventually, room=10_000) as other:
        for task in ready:
            Ringer(bus).ring([task])
        await eventually(lambda: len(one.ids) + len(other.ids) >= len(ready))
        assert Counter(one.ids + other.ids) == Counter(ids_of(ready))
        assert one.ids
        assert other.ids


async def test_a_ring_that_is_not_acknowledged_is_heard_again(bus, eventually):
    ready = tasks(1)
    async with attentive(bus, eventually) as owner:
        owner.acknowledges = False
        Ringer(bus).ring(ready)
        await owner.has(ids_of(ready))
        await eventually(lambda: len(owner.rings) == 2, timeout=ACK_SECONDS + 5)
        owner.rings[1].ack()


async def test_a_refused_ring_goes_to_another(bus, eventually):
    ready = tasks(1)
    async with attentive(bus, eventually) as one:
        one.acknowledges = False
        Ringer(bus).ring(ready)
        await one.has(ids_of(ready))
        one.ear.wanted(0)
        async with attentive(bus, eventually) as other:
            one.rings[0].refuse()
            await other.has(ids_of(ready), seconds=ACK_SECONDS - 1)


async def test_no_more_is_delivered_than_wanted(bus, eventually):
    ready = tasks(1000)
    async with attentive(bus, eventually, room=100) as owner:
        for task in ready:
            Ringer(bus).ring([task])
        await eventually(lambda: len(owner.ids) >= 100)
        # Those that came on top have been offered to others: nobody holds them.
        await eventually(lambda: owner.ear.refused > 0 or not owner.ear._held[TaskPriority.NORMAL])
        assert len(owner.ids) == 100

        owner.ear.wanted(1000)
        await owner.has(ids_of(ready))
        assert Counter(owner.ids) == Counter(ids_of(ready))


async def test_a_ring_of_many_exceeds_what_is_wanted_by_less_than_itself(bus, eventually):
    ready = tasks(RING_IDS_MIN * 4)
    async with attentive(bus, eventually, room=1) as owner:
        Ringer(bus).ring(ready)
        await eventually(lambda: owner.rings)
        await eventually(lambda: not any(owner.ear._held.values()))
        assert len(owner.ids) == RING_IDS_MIN


async def test_nothing_is_asked_for_while_nothing_is_wanted(bus, eventually):
    async with attentive(bus, eventually, room=0) as full, attentive(bus, eventually) as free:
        ready = tasks(50)
        for task in ready:
            Ringer(bus).ring([task])
        await free.has(ids_of(ready))
        assert full.rings == []
        assert full.ear.refused == 0


async def test_a_processor_that_is_busy_leaves_rings_to_others_at_once(bus, eventually, monkeypatch):
    monkeypatch.setattr(ear, "FULL_SECONDS", -1.0)
    async with attentive(bus, eventually) as busy, attentive(bus, eventually) as free:
        # It has asked for rings, and then its tasks turn out to take long.
        busy.ear.wanted(0)
        for _ in range(20):
            ready = tasks(1)
            Ringer(bus).ring(ready)
            await free.has(ids_of(ready), seconds=1)
        assert busy.rings == []


async def test_higher_priorities_come_first_out_of_a_backlog(bus, eventually):
    await RingStream(bus).ensure()
    low, high = tasks(300, priority=TaskPriority.LOW), tasks(300, priority=TaskPriority.HIGH)
    async with attentive(bus, eventually, room=0) as owner:
        for task in low + high:
            Ringer(bus).ring([task])
        heard = owner.ids

        def take_ten(ring):
            heard.extend(ring.ids)
            ring.ack()
            if len(heard) % 10 == 0:
                asyncio.get_running_loop().call_soon(owner.ear.wanted, 10)

        owner.ear._deliver = take_ten
        owner.ear.wanted(10)
        await eventually(lambda: len(heard) == 600)
        ranks = {identifier: rank for rank, identifier in enumerate(heard)}
        mean_high = sum(ranks[task.id] for task in high) / 300
        mean_low = sum(ranks[task.id] for task in low) / 300
        assert mean_high < mean_low - 150


async def test_what_is_no_ring_is_forgotten_and_counted(bus, eventually):
    ready = tasks(1)
    async with attentive(bus, eventually) as owner:
        subject = ring_subject(bus.prefix, "mail", TaskPriority.NORMAL)
        for malformed in (b"", b"x" * 17, b"x" * 16 * (RING_IDS_MAX + 1)):
            bus.publish(subject, malformed)
        Ringer(bus).ring(ready)
        await owner.has(ids_of(ready))
        assert owner.ear.malformed == 3
        assert owner.ids == ids_of(ready)
        await eventually(lambda: stream_is_empty(bus))


async def stream_is_empty(bus):
    info = await bus.request(f"$JS.API.STREAM.INFO.{RingStream(bus).name}", b"")
    return b'"messages":0' in info


async def test_news_of_a_queue_makes_it_heard_at_once(bus, eventually):
    async with attentive(bus, eventually) as owner:
        owner.queues.add("video")
        QueueNews(bus).announce("video")
        await is_served(owner, eventually, seconds=3)
        ready = tasks(1, queue="video")
        Ringer(bus).ring(ready)
        await owner.has(ids_of(ready))


async def test_a_queue_that_is_no_longer_served_is_left_to_others(bus, eventually):
    async with attentive(bus, eventually, queues=("mail", "video")) as one:
        one.queues.remove("video")
        QueueNews(bus).announce("video")
        await is_served(one, eventually)
        async with attentive(bus, eventually, queues=("video",)) as other:
            ready = tasks(30, queue="video")
            for task in ready:
                Ringer(bus).ring([task])
            await other.has(ids_of(ready), seconds=ACK_SECONDS - 1)
            assert one.rings == []


async def test_it_goes_on_hearing_while_the_store_is_away(bus, eventually):
    async with attentive(bus, eventually) as owner:
        owner.is_store_away = True
        QueueNews(bus).announce("mail")
        await ring_until_heard(bus, owner)


async def test_a_deleted_stream_is_made_again(bus, eventually):
    async with attentive(bus, eventually) as owner:
        await bus.request(f"$JS.API.STREAM.DELETE.{RingStream(bus).name}", b"")
        await ring_until_heard(bus, owner, seconds=15)


async def test_a_deleted_consumer_is_made_again(bus, eventually):
    async with attentive(bus, eventually) as owner:
        for line in list(owner.ear._lines.values()):
            await bus.request(f"$JS.API.CONSUMER.DELETE.{RingStream(bus).name}.{line.consumer}", b"")
        await ring_until_heard(bus, owner, seconds=15)


async def test_a_deleted_stream_is_noticed_by_a_full_processor_once_it_has_room(bus, eventually):
    async with attentive(bus, eventually, room=0) as owner:
        await bus.request(f"$JS.API.STREAM.DELETE.{RingStream(bus).name}", b"")
        owner.ear.wanted(100)
        await ring_until_heard(bus, owner, seconds=15)


async def test_a_stream_that_differs_is_put_right(bus, eventually):
    name = RingStream(bus).name.encode()
    other = b'{"name":"%s","subjects":["%s.ring.>"],"retention":"limits"}' % (name, bus.prefix.encode())
    await bus.request(f"$JS.API.STREAM.CREATE.{name.decode()}", other)
    async with attentive(bus, eventually) as owner:
        await ring_until_heard(bus, owner)
    info = await bus.request(f"$JS.API.STREAM.INFO.{name.decode()}", b"")
    assert b'"retention":"workqueue"' in info


async def test_lost_requests_are_noticed_by_the_silence(bus, eventually):
    async with attentive(bus, eventually) as owner:
        for line in owner.ear._lines.values():
            # As after a loss that nobody was told of: the consumer has forgotten what the ear has asked for.
            line.epoch += 1
            line.silent_until = 0.0
        await eventually(lambda: all(line.silent_until > 0 for line in owner.ear._lines.values()))
        await ring_until_heard(bus, owner)


async def test_it_listens_once_nats_is_there(tmp_path, eventually):
    server = EmbeddedNats(tmp_path)
    await server.start()
    await server.stop()
    async with Bus.open(server.url, "t") as bus, Owner(bus).listening() as owner:
        await server.start()
        try:
            await ring_until_heard(bus, owner)
        finally:
            await server.stop()


@pytest.mark.parametrize("is_wiped", [False, True])
async def test_it_comes_back_after_nats_was_killed(server, eventually, is_wiped):
    async with Bus.open(server.url, "t") as bus, attentive(bus, eventually) as owner:
        await ring_until_heard(bus, owner)
        await server.stop(signal.SIGKILL)
        if is_wiped:
            server.wipe()
        await server.start()
        await ring_until_heard(bus, owner, seconds=10)


async def test_it_comes_back_after_nats_stood_still(server, eventually):
    async with Bus.open(server.url, "t") as bus, attentive(bus, eventually) as owner:
        os.kill(server.child.pid, signal.SIGSTOP)
        try:
            await eventually(lambda: not bus.is_connected)
        finally:
            os.kill(server.child.pid, signal.SIGCONT)
        await ring_until_heard(bus, owner)


async def test_silence_costs_the_same_with_many_queues(bus, eventually):
    queues = {f"q{number}" for number in range(400)}
    async with attentive(bus, eventually, queues=queues) as owner:
        assert len(owner.ear._lines) / owner.ear._heartbeat() <= 100

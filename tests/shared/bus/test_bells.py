import asyncio
from uuid import uuid4

from taskwire_shared.bus.bells import STRIKE_SECONDS, Bell, QueueNews
from taskwire_shared.bus.notices import CancelNotices
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import Fence


class Heard:
    """What a listener has heard, and a way to wait for it."""

    def __init__(self):
        self.items = []
        self._came = asyncio.Event()

    def __call__(self, *items):
        self.items.append(items[0] if items else None)
        self._came.set()

    async def count(self, count, seconds=5.0):
        async with asyncio.timeout(seconds):
            while len(self.items) < count:
                self._came.clear()
                await self._came.wait()


async def test_a_strike_is_heard_by_every_listener(bus):
    one, other = Heard(), Heard()
    Bell(bus).listen(one)
    Bell(bus).listen(other)

    Bell(bus).strike()

    await one.count(1)
    await other.count(1)


async def test_strikes_within_five_milliseconds_are_one(bus):
    heard = Heard()
    bell = Bell(bus)
    bell.listen(heard)
    loop = asyncio.get_running_loop()
    start = loop.time()

    for _ in range(1000):
        bell.strike()
    struck_for = loop.time() - start

    # The first is struck at once, and those that came too soon after it share one.
    await heard.count(2)
    assert len(heard.items) <= 2 + struck_for / STRIKE_SECONDS


async def test_a_closed_listener_hears_nothing(bus):
    closed, open_ = Heard(), Heard()
    bell = Bell(bus)
    bell.listen(closed).close()
    bell.listen(open_)

    bell.strike()

    await open_.count(1)
    assert closed.items == []


async def test_a_listener_that_raises_goes_on_hearing(bus, eventually):
    heard = Heard()

    def hear():
        heard()
        if len(heard.items) == 1:
            raise RuntimeError("on purpose")

    bell = Bell(bus)
    bell.listen(hear)
    bell.strike()
    await heard.count(1)

    await eventually(lambda: bell.strike() or len(heard.items) > 1)
    assert bus.links == 1


async def test_news_of_a_queue_names_it(bus):
    heard = Heard()
    news = QueueNews(bus)
    news.listen(heard)

    news.announce("mail")

    await heard.count(1)
    assert heard.items == ["mail"]


async def test_a_cancel_notice_reaches_its_processor_alone(bus):
    mine, theirs = Heard(), Heard()
    processor = uuid4()
    notices = CancelNotices(bus)
    notices.listen(processor, mine)
    notices.listen(uuid4(), theirs)
    fence = Fence(new_id(), 3)

    bus.publish(f"{bus.prefix}.cancel.{processor.hex}", b"malformed")
    notices.send(processor, fence)

    await mine.count(1)
    assert mine.items == [fence]
    assert theirs.items == []

import pytest

from taskwire_shared.bus.connection import Bus, BusUnavailableError
from taskwire_shared.bus.ring_census import take_census
from taskwire_shared.bus.ring_stream import ACKS_PENDING_MAX, RING_SECONDS_MAX, RingStream
from taskwire_shared.bus.rings import Ringer, ring_subject
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.ready import Ready
from taskwire_shared.domain.task import TaskPriority


async def test_without_a_stream_there_is_no_census(bus) -> None:
    assert await take_census(bus) is None


async def test_rings_and_lines_are_counted(bus, eventually) -> None:
    stream = RingStream(bus)
    await stream.ensure()
    await stream.ensure_consumer("mail-high", ring_subject(bus.prefix, "mail", TaskPriority.HIGH))
    empty = await take_census(bus)
    Ringer(bus).ring([Ready(new_id(), "mail", TaskPriority.HIGH), Ready(new_id(), "mail", TaskPriority.LOW)])

    async def both_there() -> bool:
        return (await take_census(bus)).rings == 2

    await eventually(both_there)
    full = await take_census(bus)

    assert empty.rings == 0
    assert empty.oldest_seconds is None
    assert full.age_seconds_max == RING_SECONDS_MAX
    assert 0 <= full.oldest_seconds < 30
    (line,) = full.lines
    assert (line.consumer, line.queue, line.waiting, line.handed_out) == ("mail-high", "mail", 1, 0)
    assert line.handed_out_max == ACKS_PENDING_MAX


async def test_more_consumers_than_fit_in_one_answer(bus) -> None:
    stream = RingStream(bus)
    await stream.ensure()
    for number in range(260):
        await stream.ensure_consumer(f"q{number}-low", f"{bus.prefix}.ring.q{number}.low")

    assert len((await take_census(bus)).lines) == 260


async def test_broker_that_is_away_is_said() -> None:
    async with Bus.open("nats://127.0.0.1:1", "nowhere") as bus:
        with pytest.raises(BusUnavailableError):
            await take_census(bus)

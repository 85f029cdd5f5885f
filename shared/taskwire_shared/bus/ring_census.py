"""What waits on the broker, as an auditor sees it."""

from datetime import datetime

import msgspec
from msgspec import Struct, field

from taskwire_shared.bus.connection import Bus, BusUnavailableError
from taskwire_shared.bus.ring_stream import RingStream

PAGES_MAX = 400
"""Of consumers, 256 each: more than a stream may have."""
_NO_STREAM = 404


class _Error(Struct):
    code: int = 0
    description: str = ""


class _State(Struct):
    messages: int = 0
    first_ts: datetime | None = None


class _StreamConfig(Struct):
    max_age: int = 0
    retention: str = ""


class _StreamAnswer(Struct):
    error: _Error | None = None
    config: _StreamConfig = field(default_factory=_StreamConfig)
    state: _State = field(default_factory=_State)
    ts: datetime | None = None


class _Delivered(Struct):
    stream_seq: int = 0


class _ConsumerConfig(Struct):
    filter_subject: str = ""
    max_ack_pending: int = 0


class _Consumer(Struct):
    name: str
    config: _ConsumerConfig = field(default_factory=_ConsumerConfig)
    delivered: _Delivered = field(default_factory=_Delivered)
    num_pending: int = 0
    num_ack_pending: int = 0


class _ConsumersAnswer(Struct):
    error: _Error | None = None
    total: int = 0
    consumers: list[_Consumer] | None = None


class Line(Struct, frozen=True):
    """The rings of one queue and priority."""

    consumer: str
    queue: str
    waiting: int
    """Rings not handed out yet."""
    handed_out: int
    """Rings handed out and not acknowledged."""
    handed_out_max: int
    """As many and no more are handed out at a time."""
    delivered: int
    """The number of the last ring that was handed out: it grows."""


class Census(Struct, frozen=True):
    """The stream of the rings."""

    rings: int
    oldest_seconds: float | None
    """None when there are no rings."""
    age_seconds_max: float
    """0 where the stream keeps them for ever."""
    lines: tuple[Line, ...]


async def take_census(bus: Bus) -> Census | None:
    """Count the rings; None where there is no stream.

    Raises:
        BusUnavailableError: NATS or its JetStream does not answer.
    """
    stream = RingStream(bus).name
    answer = msgspec.json.decode(await bus.request(f"$JS.API.STREAM.INFO.{stream}", b""), type=_StreamAnswer)
    if answer.error is not None:
        if answer.error.code == _NO_STREAM:
            return None
        raise BusUnavailableError(answer.error.description)
    return Census(
        rings=answer.state.messages,
        oldest_seconds=_age(answer),
        age_seconds_max=answer.config.max_age / 1e9,
        lines=tuple([_line(one, bus.prefix) for one in await _consumers(bus, stream)]),
    )


def _age(answer: _StreamAnswer) -> float | None:
    if not answer.state.messages or answer.ts is None or answer.state.first_ts is None:
        return None
    return (answer.ts - answer.state.first_ts).total_seconds()


async def _consumers(bus: Bus, stream: str) -> list[_Consumer]:
    found: list[_Consumer] = []
    for _ in range(PAGES_MAX):
        request = msgspec.json.encode({"offset": len(found)})
        answer = await bus.request(f"$JS.API.CONSUMER.LIST.{stream}", request)
        page = msgspec.json.decode(answer, type=_ConsumersAnswer)
        found += page.consumers or []
        if page.error is not None or not page.consumers or len(found) >= page.total:
            break
    return found


def _line(consumer: _Consumer, prefix: str) -> Line:
    return Line(
        consumer=consumer.name,
        queue=consumer.config.filter_subject.removeprefix(f"{prefix}.ring.").rpartition(".")[0],
        waiting=consumer.num_pending,
        handed_out=consumer.num_ack_pending,
        handed_out_max=consumer.config.max_ack_pending,
        delivered=consumer.delivered.stream_seq,
    )

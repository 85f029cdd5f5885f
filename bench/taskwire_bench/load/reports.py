"""What a load process says when it is done."""

from msgspec import Struct


class Created(Struct, frozen=True, kw_only=True):
    """Of `Batches` and `Unary`."""

    first_create_ns: int
    """Just before the first call was sent."""
    last_reply_ns: int
    milliseconds: tuple[float, ...] = ()
    """How long each call took, where that was asked for."""

    @property
    def seconds(self) -> float:
        """Return the time from the first call to the last reply."""
        return (self.last_reply_ns - self.first_create_ns) / 1e9


class Arrival(Struct, frozen=True, array_like=True):
    """One task of `Paced`."""

    task_id: str
    due_ns: int
    """When it was to be sent by the clock."""
    reply_ns: int
    final_ns: int
    """When the watching client saw that it had succeeded."""
    event_ms: tuple[float, ...]
    """From the change's own time to the watching client, of each of its versions."""


class Paced(Struct, frozen=True, kw_only=True):
    """Of `Paced`."""

    arrivals: tuple[Arrival, ...]


class Second(Struct, frozen=True, array_like=True):
    """What a watching client got within one second."""

    at: int
    """In seconds since 1970."""
    events: int
    p50_ms: float
    p99_ms: float
    complete: int
    """Tasks that have come to their end up to then."""


class Followed(Struct, frozen=True, kw_only=True):
    """Of `Streams` and `Feed`."""

    complete: int
    """Tasks of which every version came, each once and in order."""
    events: int
    opened_seconds: float
    """How long it took to open all streams."""
    first_event_ns: int
    last_event_ns: int
    delay_ms: tuple[float, ...]
    """From the change's own time to the client, of every event, or of an even sample of a great many."""
    seconds: tuple[Second, ...] = ()
    faults: tuple[str, ...] = ()
    """The first few things that were wrong."""


class Looped(Struct, frozen=True, kw_only=True):
    """Of `Limit`."""

    rehearsed: int
    """Tasks that went through before the clock started."""
    seconds: float
    create_seconds: float
    """The sum over all connections, so that it shows which statement costs what."""
    claim_seconds: float
    succeed_seconds: float


class Probe(Struct, frozen=True, array_like=True):
    """One task of `Steady` that was created and watched by itself."""

    due_ns: int
    reply_ms: float
    """From when it was due to the reply."""
    result_ms: float
    """To its final version on its own stream."""


class Held(Struct, frozen=True, kw_only=True):
    """Of `Steady`."""

    tasks: int
    """Created, probes included."""
    late_ms: tuple[float, ...]
    """How late each batch was answered, from when it was due."""
    probes: tuple[Probe, ...]

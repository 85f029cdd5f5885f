"""What a load process is told to do."""

from msgspec import Struct

SERVICE = "taskwire.v1.TaskService"
EMPTY_METHOD = "/taskwire.bench.Floor/Empty"
"""A call that does nothing, see `floor`."""


class Order(Struct, frozen=True, kw_only=True, tag_field="load", tag=True):
    """One load. Times are moments in nanoseconds since 1970 unless they say otherwise."""


class Batches(Order, frozen=True, kw_only=True):
    """Create tasks in batches, as fast as they are taken."""

    addresses: tuple[str, ...]
    tasks: int
    type: str = "length"
    queue: str = "default"
    payload_bytes: int = 100
    batch: int = 500
    in_flight: int = 4


class Unary(Order, frozen=True, kw_only=True):
    """Create tasks one by one, or make empty calls, with so many in flight."""

    address: str
    calls: int
    in_flight: int
    empty: bool = False
    type: str = "length"
    payload_bytes: int = 100


class Paced(Order, frozen=True, kw_only=True):
    """Create tasks by the clock, late or not, while a watch of all tasks is open."""

    address: str
    tasks: int
    rate: float
    """Tasks per second."""
    type: str = "stamp"


class Streams(Order, frozen=True, kw_only=True):
    """Create tasks that wait, open a WatchTask stream for each, and count what they bring once the tasks run."""

    address: str
    streams: int
    type: str = "length"
    queue: str = "watched"
    connections: int = 10
    wave: int = 200
    """Streams opened at once."""
    patience_seconds: float = 120.0


class Feed(Order, frozen=True, kw_only=True):
    """Follow all tasks with one WatchTasks stream until so many have finished."""

    address: str
    tasks: int
    patience_seconds: float = 180.0


class Steady(Order, frozen=True, kw_only=True):
    """Create batches by the clock for a long time, and now and then a task that is watched by itself."""

    address: str
    seconds: float
    rate: float
    """Tasks per second."""
    batch: int = 100
    probe_seconds: float = 0.1
    """Between two tasks that are watched by themselves."""
    type: str = "length"


class Limit(Order, frozen=True, kw_only=True):
    """Run the statements of the store on batches, with nothing around them."""

    database_url: str
    tasks: int
    connections: int
    payload_bytes: int = 100
    batch: int = 500


Any = Batches | Unary | Paced | Streams | Feed | Steady | Limit

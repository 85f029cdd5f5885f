"""The rings of one queue and priority, as one consumer hands them out, and what has been asked of it."""

from uuid import uuid4

from taskwire_shared.bus.rings import PRIORITY_TOKENS, ring_subject
from taskwire_shared.domain.task import TaskPriority

_PENDING_AT_SHORT = 8
_PENDING_AT_LONG = 10
_SHORT_TOKENS = 9
"""`$JS.ACK.stream.consumer.deliveries.sequence.sequence.time.pending`; longer ones name domain and account, too."""


class RingLine:
    """A consumer and the requests that are out to it. Only counts: the ear decides."""

    def __init__(self, prefix: str, queue: str, priority: TaskPriority) -> None:
        self.queue = queue
        self.priority = priority
        self.subject = ring_subject(prefix, queue, priority)
        self.consumer = f"{queue}-{PRIORITY_TOKENS[priority]}"
        self.token = uuid4().hex
        self.epoch = 0
        """Grows whenever the consumer was made again, so that answers to older requests are known as such."""
        self.is_ready = False
        self.requested = 0
        """Rings asked for and not received."""
        self.has_backlog = False
        """Whether more were waiting when the last ring left the server."""
        self.silent_until = 0.0
        """By then something must have been heard, or the requests are lost. In the loop's time."""

    def made(self) -> None:
        """Begin anew after the consumer was made."""
        self.epoch += 1
        self.requested = 0
        self.is_ready = True

    def broke(self) -> None:
        """Note that the consumer does not answer as it should."""
        self.requested = 0
        self.is_ready = False

    def returned(self, count: int) -> None:
        """Note that `count` requested rings will not come."""
        self.requested = max(0, self.requested - count)


def has_more(ack_subject: str) -> bool:
    """Tell from the subject of its acknowledgement whether more rings were waiting behind a ring."""
    tokens = ack_subject.split(".")
    at = _PENDING_AT_SHORT if len(tokens) == _SHORT_TOKENS else _PENDING_AT_LONG
    return at < len(tokens) and tokens[at] != "0"

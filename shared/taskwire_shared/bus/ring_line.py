"""The rings of one queue and priority, as one consumer hands them out, and what has been asked of it."""

from uuid import uuid4

from taskwire_shared.bus.rings import PRIORITY_TOKENS, ring_subject
from taskwire_shared.domain.task import TaskPriority

_DELIVERIES_AT_SHORT = 4
_PENDING_AT_SHORT = 8
_SHORT_TOKENS = 9
_LONGER_BY = 2
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
    return _token(ack_subject, _PENDING_AT_SHORT) not in {"", "0"}


def deliveries(ack_subject: str) -> int:
    """Tell from the subject of its acknowledgement how many times a ring was delivered, this time included."""
    count = _token(ack_subject, _DELIVERIES_AT_SHORT)
    return int(count) if count.isdecimal() else 1


def _token(ack_subject: str, at: int) -> str:
    tokens = ack_subject.split(".")
    if len(tokens) != _SHORT_TOKENS:
        at += _LONGER_BY
    return tokens[at] if at < len(tokens) else ""

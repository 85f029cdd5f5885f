"""What makes two creates the same: a hash over everything that the caller chose, ids and keys left out."""

from hashlib import blake2b
from uuid import UUID

import msgspec

from taskwire_shared.domain.selector import TaskSelector
from taskwire_shared.domain.task import Payload, RetryPolicy, TaskPriority

_HASH_BYTES = 16
_ENCODE = msgspec.msgpack.Encoder(order="deterministic").encode
"""MessagePack has one shortest form for each value here, and the mappings are sorted. Hashes are stored: the encoding
must stay as it is, so new fields go to the end and only where they are set."""
_NO_POLICY = (None, None, None, None)
_NO_LABELS: dict[str, str] = {}


def request_hash(
    *,
    queue: str,
    type_name: str,
    priority: TaskPriority,
    payload: Payload | None,
    retry_policy: RetryPolicy,
    schedule_us: int | None,
    expire_us: int | None,
    labels: dict[str, str],
    retry_of: UUID | None = None,
) -> bytes:
    """Return 16 bytes that stand for the content of a new task. Times are microseconds since 1970."""
    content = (
        queue,
        type_name,
        int(priority),
        payload and (payload.data, payload.is_text, payload.content_type),
        (
            retry_policy.max_attempts,
            retry_policy.attempt_timeout_ms,
            retry_policy.initial_backoff_ms,
            retry_policy.max_backoff_ms,
        ),
        schedule_us,
        expire_us,
        labels,
        retry_of and retry_of.bytes,
    )
    return _hash(_ENCODE(content))


def plain_request_hash(queue: str, type_name: str, priority: TaskPriority, payload: Payload | None) -> bytes:
    """Return the same for a task without anything rare, with less ado."""
    return _hash(_ENCODE(_plain_content(queue, type_name, priority, payload)))


class PlainHashes:
    """The same for tasks that differ in nothing but the bytes of their input, as many of them as there are."""

    __slots__ = ("_after", "_before")

    def __init__(self, queue: str, type_name: str, priority: TaskPriority, payload: Payload) -> None:
        """Take one of them. The inputs of the others are as long as its input."""
        whole = _ENCODE(_plain_content(queue, type_name, priority, payload))
        # MessagePack writes values one after the other, so that what follows the bytes can be written by itself.
        rest = (payload.is_text, payload.content_type, _NO_POLICY, None, None, _NO_LABELS, None)
        self._after = b"".join(map(_ENCODE, rest))
        self._before = whole[: len(whole) - len(self._after) - len(payload.data)]

    def of(self, data: bytes) -> bytes:
        """Return the hash of the task whose input has these bytes."""
        return _hash(self._before + data + self._after)


def _plain_content(queue: str, type_name: str, priority: TaskPriority, payload: Payload | None) -> tuple[object, ...]:
    data = payload and (payload.data, payload.is_text, payload.content_type)
    return (queue, type_name, int(priority), data, _NO_POLICY, None, None, _NO_LABELS, None)


def _hash(encoded: bytes) -> bytes:
    return blake2b(encoded, digest_size=_HASH_BYTES).digest()


def selector_bytes(selector: TaskSelector) -> bytes:
    """Return one encoding for selectors that pick the same tasks, for tokens to be bound to."""
    return _ENCODE(
        (
            sorted(selector.queues),
            sorted(selector.types),
            None if selector.states is None else sorted(map(int, selector.states)),
            dict(selector.labels),
            selector.min_created_at and selector.min_created_at.isoformat(),
            selector.max_created_at and selector.max_created_at.isoformat(),
        )
    )

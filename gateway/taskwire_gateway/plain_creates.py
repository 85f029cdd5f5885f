"""The usual create: a type, an input, perhaps an id, a queue or a priority, and nothing else.

Each look at a field of a message costs 0.05 to 0.1 us. To check all fields by all rules and then to convert them costs
8.2 us a task; here each is looked at once, for 3.2 us, and less where a create is like one before (see `stencil`). What
is less usual, or breaks a rule, goes through `validation` and `convert`.
"""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway import field_checks as fields
from taskwire_gateway.request_hash import plain_request_hash
from taskwire_gateway.stencil import Stencil
from taskwire_shared.domain import limits
from taskwire_shared.domain.ids import floor_id
from taskwire_shared.domain.task import DEFAULT_QUEUE, NewTask, Payload, TaskPriority
from taskwire_shared.identifiers import fresh_identifiers

_PRIORITIES = {0: TaskPriority.NORMAL, **{int(priority): priority for priority in TaskPriority}}
_NAMES_REMEMBERED = 1_000
"""Types and queues that were legal before: fewer than there are in most installations, and 100 KB."""

LENGTHS_MAX = 1_000
"""Of which stencils are remembered, about half a kilobyte each. Past it they are forgotten and made anew."""
STENCILS_MAX = 4
"""Of one length. A look at one that does not fit costs 0.1 us."""
STRANGERS_FOR_STENCIL = 32
"""Of so many creates that no stencil fits one is made from the last. To make it costs as much as to read two creates
without, for nothing where no two are alike: with one of 8 a create cost 1.3 us more there."""

Bounds = tuple[str, str]
"""The oldest and the newest id that a new task may have."""

# The names of fields are looked up by the class: half the price of the bound method.
_has = task_pb2.Task.HasField
_encode = pb.CreateTaskRequest.SerializeToString
_is_type = lru_cache(_NAMES_REMEMBERED)(fields.is_type)
_is_queue = lru_cache(_NAMES_REMEMBERED)(fields.is_queue)


class PlainCreates:
    """Reads plain creates, and remembers what those before were like."""

    def __init__(self) -> None:
        self._stencils: dict[int, tuple[Stencil, ...]] = {}
        """By length in bytes, the newest first."""
        self._strangers = 0
        """Creates that no stencil fitted."""
        self._fresh = fresh_identifiers()
        """Kept, since each makes many at once: a create of one task would throw the others away."""

    def tasks(self, tenant: str, requests: Iterable[pb.CreateTaskRequest]) -> list[NewTask] | None:
        """Make the tasks that `requests` ask for, or return None where one of them has to be looked at more closely."""
        bounds = _fresh_ids(int(time.time()))
        tasks = []
        for request in requests:
            task_id = _identifier(request.task_id, bounds, self._fresh)
            task = None if task_id is None else self._task(task_id, tenant, request)
            if task is None:
                return None
            tasks.append(task)
        return tasks

    def _task(self, task_id: UUID, tenant: str, request: pb.CreateTaskRequest) -> NewTask | None:
        encoded = _encode(request)
        for stencil in self._stencils.get(len(encoded), ()):
            if stencil.fits(encoded):
                return stencil.task(task_id, tenant, encoded)
        task = _plain_task(task_id, tenant, request)
        self._strangers += task is not None
        if task is not None and self._strangers % STRANGERS_FOR_STENCIL == 0:
            self._remember(Stencil.of(request, task), len(encoded))
        return task

    def _remember(self, stencil: Stencil | None, length: int) -> None:
        if stencil is None:
            return
        if len(self._stencils) >= LENGTHS_MAX:
            self._stencils.clear()
        self._stencils[length] = (stencil, *self._stencils.get(length, ()))[:STENCILS_MAX]


def _plain_task(task_id: UUID, tenant: str, request: pb.CreateTaskRequest) -> NewTask | None:
    task = request.task
    if request.idempotency_key or _has_rare_fields(task):
        return None
    type_name, queue, priority = task.type, task.queue or DEFAULT_QUEUE, _PRIORITIES.get(task.priority)
    if priority is None or not _is_type(type_name) or not _is_queue(queue):
        return None
    payload = None
    if _has(task, "input"):
        payload = _plain_payload(task.input)
        if payload is None:
            return None
    return NewTask(
        id=task_id,
        tenant=tenant,
        queue=queue,
        type=type_name,
        request_hash=plain_request_hash(queue, type_name, priority, payload),
        priority=priority,
        input=payload,
    )


def _identifier(text: str, bounds: Bounds, fresh: Iterator[UUID]) -> UUID | None:
    """Read an id, or make a fresh one where there is none. None where it is no legal one."""
    if not text:
        return next(fresh)
    oldest, newest = bounds
    return fields.read_id(text) if oldest <= text <= newest else None


def _has_rare_fields(task: task_pb2.Task) -> bool:
    return bool(task.labels or _has(task, "schedule_time") or _has(task, "expire_time") or _has(task, "retry_policy"))


def _plain_payload(payload: task_pb2.Payload) -> Payload | None:
    content_type = payload.content_type
    if len(content_type) > limits.CONTENT_TYPE_CHARS_MAX or "\0" in content_type:
        return None
    data, is_text = payload.binary, False
    if not data and payload.WhichOneof("data") == "text":
        data, is_text = payload.text.encode(), True
    return Payload(data, is_text, content_type) if len(data) <= limits.PAYLOAD_BYTES_MAX else None


@lru_cache(1)
def _fresh_ids(now: int) -> Bounds:
    """Return bounds of ids that are neither too old nor too new during the second `now`: they sort by their time."""
    moment = datetime.fromtimestamp(now, UTC)
    oldest = moment - timedelta(seconds=limits.TASK_ID_AGE_SECONDS_MAX - 1)
    newest = moment + timedelta(seconds=limits.TASK_ID_AHEAD_SECONDS_MAX)
    return str(floor_id(oldest)), str(floor_id(newest))

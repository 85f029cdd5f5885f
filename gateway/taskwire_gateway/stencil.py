"""A short cut through creates that are alike: what differs between them is cut out of their bytes.

Most of what it takes to read a plain create from its message goes into looking at fields that say the same in each:
this way it takes 2.6 instead of 5.2 us (on a slower machine than that of the figures in `plain_creates`). Two creates
whose encodings have the same length, and the same bytes everywhere but in the input and in the id, differ in nothing
else: protobuf writes the length of everything before it.
"""

from uuid import UUID

from msgspec import Struct

from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway.request_hash import PlainHashes
from taskwire_shared.domain.task import NewTask, Payload, TaskPriority

_BLANK = b"\0"
"""Stands where the input was. Only fields that are ignored may have a NUL before it."""


class Stencil(Struct, frozen=True):
    """What creates of one kind and length have in common: all bytes but those of input and id, and what these say."""

    before: bytes
    """Up to the bytes of the input."""
    between: bytes
    """From there to the text of the id, or to the end where the service makes the ids."""
    data_end: int
    queue: str
    type: str
    priority: TaskPriority
    is_text: bool
    content_type: str
    hashes: PlainHashes

    @classmethod
    def of(cls, request: pb.CreateTaskRequest, task: NewTask) -> "Stencil | None":
        """Make one of a plain create and its task. None where it does not show where its input and its id are."""
        if task.input is None:
            return None
        blank, length, name = _without_input(request, task.input), len(task.input.data), request.task_id.encode()
        start = blank.find(_BLANK * length)
        # Behind the id there may be fields of a later release. Others could have a key in their place.
        if not length or start != blank.rfind(_BLANK * length) or not blank.endswith(name):
            return None
        return cls(
            before=blank[:start],
            between=blank[start + length : len(blank) - len(name)],
            data_end=start + length,
            queue=task.queue,
            type=task.type,
            priority=task.priority,
            is_text=task.input.is_text,
            content_type=task.input.content_type,
            hashes=PlainHashes(task.queue, task.type, task.priority, task.input),
        )

    def fits(self, encoded: bytes) -> bool:
        """Tell whether a create of the same length is of this kind, whatever stands where its id should be."""
        return encoded.startswith(self.before) and encoded.startswith(self.between, self.data_end)

    def task(self, task_id: UUID, tenant: str, encoded: bytes) -> NewTask:
        """Make the task of a create that fits."""
        data = encoded[len(self.before) : self.data_end]
        return NewTask(
            id=task_id,
            tenant=tenant,
            queue=self.queue,
            type=self.type,
            request_hash=self.hashes.of(data),
            priority=self.priority,
            input=Payload(data, self.is_text, self.content_type),
        )


def _without_input(request: pb.CreateTaskRequest, payload: Payload) -> bytes:
    blank = pb.CreateTaskRequest()
    blank.CopyFrom(request)
    nothing = _BLANK * len(payload.data)
    if payload.is_text:
        blank.task.input.text = nothing.decode()
    else:
        blank.task.input.binary = nothing
    return blank.SerializeToString()

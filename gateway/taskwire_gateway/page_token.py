"""Where the next page of a list starts."""

from uuid import UUID

from taskwire.v1 import task_pb2
from taskwire_gateway.request_hash import selector_bytes
from taskwire_gateway.seal import Seal
from taskwire_gateway.violations import refuse_field
from taskwire_shared.domain.selector import TaskSelector

_UUID_BYTES = 16
_NOT_OURS = "must be a next_page_token of the same call with the same fields"


class TaskPageTokens:
    """Makes and opens the tokens of `ListTasks` for one caller's selector and view."""

    def __init__(self, seal: Seal, tenant: str, selector: TaskSelector, view: task_pb2.TaskView.ValueType) -> None:
        self._seal = seal
        self._bound_to = (b"tasks", tenant.encode(), selector_bytes(selector), bytes([view]))

    def make(self, last: UUID) -> str:
        """Make the token of the page that follows `last`."""
        return self._seal.close(last.bytes, *self._bound_to)

    def open(self, token: str) -> UUID | None:
        """Return the id that the page follows; None for the first page. Raises `InvalidFields`."""
        if not token:
            return None
        body = self._seal.open(token, *self._bound_to)
        if body is None or len(body) != _UUID_BYTES:
            raise refuse_field("page_token", _NOT_OURS)
        return UUID(bytes=body)


class QueuePageTokens:
    """Makes and opens the tokens of `ListQueues` for one tenant."""

    def __init__(self, seal: Seal, tenant: str) -> None:
        self._seal = seal
        self._bound_to = (b"queues", tenant.encode())

    def make(self, last: str) -> str:
        """Make the token of the page that follows the queue `last`."""
        return self._seal.close(last.encode(), *self._bound_to)

    def open(self, token: str) -> str | None:
        """Return the name that the page follows; None for the first page. Raises `InvalidFields`."""
        if not token:
            return None
        body = self._seal.open(token, *self._bound_to)
        if body is None:
            raise refuse_field("page_token", _NOT_OURS)
        return body.decode()

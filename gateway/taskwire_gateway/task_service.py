"""`TaskService`: for each method, validate, convert, act, convert."""

from collections.abc import Callable, Sequence
from uuid import UUID

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway import validation
from taskwire_gateway.admission import Admission
from taskwire_gateway.convert import (
    created_message,
    new_task,
    repeated_task,
    selector_value,
    task_message,
)
from taskwire_gateway.creator import Creator, Receipt
from taskwire_gateway.fresh_response import fresh_batch_response, fresh_response
from taskwire_gateway.page_token import TaskPageTokens
from taskwire_gateway.plain_creates import PlainCreates
from taskwire_gateway.responses import fit_batch
from taskwire_gateway.seal import Seal
from taskwire_shared.bus.bells import Bell
from taskwire_shared.bus.notices import CancelNotices
from taskwire_shared.domain import limits
from taskwire_shared.domain.errors import QueueFull, TaskAlreadyFinished, TaskConflict, TaskNotFound, TaskNotRetryable
from taskwire_shared.domain.ids import id_time, new_id
from taskwire_shared.domain.outcome import Fence
from taskwire_shared.domain.task import NewTask, TaskState
from taskwire_shared.store import cancels, lists, reads
from taskwire_shared.store.database import Database

_REPEATABLE = frozenset({TaskState.FAILED, TaskState.CANCELLED})
_UNCANCELLABLE = frozenset({TaskState.SUCCEEDED, TaskState.FAILED})


class TaskService:
    """The unary methods. The watches are in `task_watch` and `feed_watch`."""

    def __init__(
        self,
        db: Database,
        creator: Creator,
        admission: Admission,
        seal: Seal,
        notices: CancelNotices,
        bell: Bell,
    ) -> None:
        self._db = db
        self._creator = creator
        self._admission = admission
        self._seal = seal
        self._notices = notices
        self._bell = bell
        self._plain = PlainCreates()

    async def create_task(self, tenant: str, request: pb.CreateTaskRequest) -> pb.CreateTaskResponse | bytes:
        """Store one task."""
        tasks = self._plain.tasks(tenant, (request,))
        if tasks is None:
            validation.check_create(request)
            tasks = [new_task(tenant, request)]
        receipt = await self._store_one(tasks, is_named=lambda: _is_named(request))
        if receipt.created_at is not None and receipt.is_all_new:
            return fresh_response(tasks[0], receipt.created_at)
        return _created(receipt, 0, tasks, named=_is_named(request))

    async def batch_create_tasks(
        self, tenant: str, request: pb.BatchCreateTasksRequest
    ) -> pb.BatchCreateTasksResponse | bytes:
        """Store many tasks, all or none."""
        validation.check_batch_count(request)
        tasks = self._plain.tasks(tenant, request.requests)
        if tasks is None:
            # What is plain has a short response: there, no batch is too big for one.
            validation.check_batch(request)
            tasks = [new_task(tenant, item) for item in request.requests]
        receipt = await self._store(tasks, is_named=lambda: all(map(_is_named, request.requests)))
        if receipt.created_at is not None and receipt.is_all_new:
            return fresh_batch_response(tasks, receipt.created_at)
        responses = [
            _created(receipt, index, tasks, named=_is_named(item)) for index, item in enumerate(request.requests)
        ]
        return fit_batch(pb.BatchCreateTasksResponse(responses=responses))

    async def get_task(self, tenant: str, request: pb.GetTaskRequest) -> pb.GetTaskResponse:
        """Return one task."""
        validation.check_get(request)
        full = request.view != task_pb2.TASK_VIEW_BASIC
        task = await reads.get_task(self._db, tenant, UUID(request.task_id), full=full)
        if task is None:
            raise TaskNotFound(request.task_id)
        reason = await reads.wait_reason(self._db, task)
        return pb.GetTaskResponse(task=task_message(task, full=full, wait_reason=reason))

    async def list_tasks(self, tenant: str, request: pb.ListTasksRequest) -> pb.ListTasksResponse:
        """Return a page of tasks."""
        validation.check_list(request)
        selector = selector_value(request.selector)
        view = request.view or task_pb2.TASK_VIEW_BASIC
        tokens = TaskPageTokens(self._seal, tenant, selector, view)
        full = view == task_pb2.TASK_VIEW_FULL
        page = await lists.list_tasks(
            self._db,
            tenant,
            selector,
            before=tokens.open(request.page_token),
            limit=min(request.page_size, limits.PAGE_SIZE_MAX) or limits.PAGE_SIZE_DEFAULT,
            full=full,
        )
        return pb.ListTasksResponse(
            tasks=[task_message(task, full=full) for task in page.tasks],
            next_page_token="" if page.next_before is None else tokens.make(page.next_before),
        )

    async def cancel_task(self, tenant: str, request: pb.CancelTaskRequest) -> pb.CancelTaskResponse:
        """Ask for a task to be stopped."""
        validation.check_cancel(request)
        task = await cancels.cancel(self._db, tenant, UUID(request.task_id), request.reason)
        if task is None:
            raise TaskNotFound(request.task_id)
        if task.state in _UNCANCELLABLE:
            raise TaskAlreadyFinished(request.task_id, task.state)
        # Also where an earlier call has done it: that one may have died between its commit and its strike.
        self._bell.strike()
        if task.state is TaskState.RUNNING and task.processor is not None:
            self._notices.send(task.processor, Fence(task.id, task.attempt))
        return pb.CancelTaskResponse(task=task_message(task))

    async def retry_task(self, tenant: str, request: pb.RetryTaskRequest) -> pb.RetryTaskResponse:
        """Make a task like one that failed or was cancelled."""
        validation.check_retry(request)
        old = await reads.get_task(self._db, tenant, UUID(request.task_id), full=True)
        if old is None:
            raise TaskNotFound(request.task_id)
        if old.state not in _REPEATABLE:
            raise TaskNotRetryable(request.task_id, old.state)
        identifier = UUID(request.new_task_id) if request.new_task_id else new_id()
        tasks = (repeated_task(old, identifier, id_time(identifier)),)
        receipt = await self._store_one(tasks, is_named=lambda: bool(request.new_task_id))
        response = _created(receipt, 0, tasks, named=bool(request.new_task_id))
        return pb.RetryTaskResponse(task=response.task)

    async def _store_one(self, tasks: Sequence[NewTask], *, is_named: Callable[[], bool]) -> Receipt:
        try:
            return await self._store(tasks, is_named=is_named)
        except TaskConflict as conflict:
            # An index is for batches only.
            raise TaskConflict(conflict.task_id) from None

    async def _store(self, tasks: Sequence[NewTask], *, is_named: Callable[[], bool]) -> Receipt:
        """Store `tasks`, or say what became of them where callers have named them all and repeat themselves.

        Whether they have is asked only then: it costs a look at each.
        """
        try:
            await self._admission.admit(tasks)
        except QueueFull:
            # What is stored already takes no room, and its caller may be asking because the first answer was lost.
            receipt = await self._creator.repeated(tasks) if is_named() else None
            if receipt is None:
                raise
            return receipt
        return await self._creator.create(tasks)


def _is_named(request: pb.CreateTaskRequest) -> bool:
    return bool(request.task_id or request.idempotency_key)


def _created(
    receipt: Receipt,
    index: int,
    tasks: Sequence[NewTask],
    *,
    named: bool,
) -> pb.CreateTaskResponse:
    """Describe what became of one item. A task without a name is new, even where its creation had to be repeated."""
    original = receipt.repeats.get(index, index)
    known = receipt.known.get(original)
    if known is not None:
        return pb.CreateTaskResponse(task=task_message(known), deduplicated=named)
    assert receipt.created_at is not None, "what is not known is new"
    message = created_message(tasks[original], receipt.created_at)
    return pb.CreateTaskResponse(task=message, deduplicated=original != index)

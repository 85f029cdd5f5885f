"""`QueueService`: for each method, validate, convert, act, convert."""

from taskwire.v1 import queue_service_pb2 as pb
from taskwire_gateway import validation
from taskwire_gateway.convert import queue_message
from taskwire_gateway.page_token import QueuePageTokens
from taskwire_gateway.seal import Seal
from taskwire_shared.bus.bells import QueueNews
from taskwire_shared.domain import limits
from taskwire_shared.domain.errors import QueueNotFound
from taskwire_shared.domain.queue import Queue
from taskwire_shared.store import queues
from taskwire_shared.store.database import Database


class QueueService:
    """Shows the queues and holds them."""

    def __init__(self, db: Database, seal: Seal, news: QueueNews) -> None:
        self._db = db
        self._seal = seal
        self._news = news

    async def get_queue(self, tenant: str, request: pb.GetQueueRequest) -> pb.GetQueueResponse:
        """Return one queue."""
        validation.check_queue_name(request.queue)
        queue = await queues.get_queue(self._db, tenant, request.queue)
        return pb.GetQueueResponse(queue=_described(queue, request.queue))

    async def list_queues(self, tenant: str, request: pb.ListQueuesRequest) -> pb.ListQueuesResponse:
        """Return a page of queues."""
        validation.check_list_queues(request.page_size)
        tokens = QueuePageTokens(self._seal, tenant)
        limit = min(request.page_size, limits.PAGE_SIZE_MAX) or limits.PAGE_SIZE_DEFAULT
        # One more than asked for tells whether there is a next page.
        found = await queues.list_queues(self._db, tenant, after=tokens.open(request.page_token) or "", limit=limit + 1)
        page = found[:limit]
        next_token = tokens.make(page[-1].name) if len(found) > limit else ""
        return pb.ListQueuesResponse(queues=[queue_message(queue) for queue in page], next_page_token=next_token)

    async def pause_queue(self, tenant: str, request: pb.PauseQueueRequest) -> pb.PauseQueueResponse:
        """Stop starting tasks of a queue."""
        validation.check_queue_name(request.queue)
        queue = await queues.pause_queue(self._db, tenant, request.queue)
        return pb.PauseQueueResponse(queue=_described(queue, request.queue))

    async def resume_queue(self, tenant: str, request: pb.ResumeQueueRequest) -> pb.ResumeQueueResponse:
        """Start tasks of a queue again."""
        validation.check_queue_name(request.queue)
        queue = _described(await queues.resume_queue(self._db, tenant, request.queue), request.queue)
        self._news.announce(request.queue)
        return pb.ResumeQueueResponse(queue=queue)


def _described(queue: Queue | None, name: str) -> pb.Queue:
    if queue is None:
        raise QueueNotFound(name)
    return queue_message(queue)

"""S11: whether a key is taken is looked up first, and nothing keeps two from finding it free."""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import structs

from taskwire_chaos.planted.replacing import replace

_KEEP = """
INSERT INTO idempotency_keys (tenant, queue, key, task_id, request_hash) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""


def plant() -> None:
    """See the module."""
    from taskwire_shared.store.creations import Creations

    def make(create: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def replacement(creations: Any, tasks: Any) -> Any:
            keyed = [task for task in tasks if task.idempotency_key is not None]
            if not keyed:
                return await create(creations, tasks)
            taken = {keyed[found.index].id for found in await creations.existing(keyed)}
            fresh = [structs.replace(task, idempotency_key=None) for task in tasks if task.id not in taken]
            creation = await create(creations, fresh)
            for task in keyed:
                if task.id not in taken:
                    values = (task.tenant, task.queue, task.idempotency_key, task.id, task.request_hash)
                    await creations._db.execute(_KEEP, *values)
            return creation

        return replacement

    replace(Creations, "create_tasks", make)

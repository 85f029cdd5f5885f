"""What the store should hold of a new task, without a database."""

from datetime import datetime

from taskwire_shared.domain.task import NewTask, Task, TaskState


def as_created(task: NewTask, created_at: datetime) -> Task:
    """Return what a create at `created_at` should have stored of `task`."""
    scheduled = task.schedule_at is not None and task.schedule_at > created_at
    return Task(
        id=task.id,
        tenant=task.tenant,
        queue=task.queue,
        type=task.type,
        priority=task.priority,
        state=TaskState.SCHEDULED if scheduled else TaskState.PENDING,
        version=1,
        attempt=0,
        excused=0,
        retry_policy=task.retry_policy,
        created_at=created_at.timestamp(),
        updated_at=created_at.timestamp(),
        schedule_at=task.schedule_at,
        expire_at=task.expire_at,
        labels=task.labels,
        input=task.input,
        retry_of=task.retry_of,
    )

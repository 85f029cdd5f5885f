"""`taskwire dev`: serve on this machine until told to stop."""

import asyncio

from taskwire.errors import TaskwireError
from taskwire_dev.database import served_types
from taskwire_dev.failure import StartFailed
from taskwire_dev.first_task import FirstTask, run_first_task
from taskwire_dev.installation import Installation, Plan, running, stop_seconds
from taskwire_dev.usage import Usage
from taskwire_shared.domain.task import DEFAULT_QUEUE
from taskwire_shared.settings import Settings

_SHIPPED = "taskwire_processor.shipped"


async def serve(plan: Plan) -> None:
    """Start everything, show that it works and how to use it, and serve until cancelled. Raises StartFailed."""
    plan.say(f"Taskwire starts in {plan.folder.path}")
    with plan.folder.held(stop_seconds(plan.settings)):
        async with running(plan) as installation:
            plan.say(await _check(plan.settings, installation))
            types = await served_types(installation.postgres, installation.processor.ready.id)
            usage = Usage(
                installation.address, types, queue=_queue(plan.settings), tls=bool(plan.settings.tls_cert_file)
            )
            for line in [*usage.lines(), *_whereabouts(installation)]:
                plan.say(line)
            plan.say(installation.ready_line)
            try:
                await asyncio.Event().wait()
            finally:
                plan.say("Taskwire stops.")


async def _check(settings: Settings, installation: Installation) -> str:
    if _SHIPPED not in settings.handlers or settings.tls_cert_file:
        return f"No first task was run: that takes {_SHIPPED} among the handlers, and no TLS."
    try:
        return describe(await run_first_task(installation.address, _queue(settings)))
    except TaskwireError as error:
        raise StartFailed(f"The gateway does not take a task: {error}. See {installation.gateway.log}.") from error


def _queue(settings: Settings) -> str:
    """Return a queue whose tasks are run."""
    return settings.queues[0] if settings.queues else DEFAULT_QUEUE


def _whereabouts(installation: Installation) -> list[str]:
    return [
        "",
        f"Metrics: {' and '.join(f'http://{metrics}/metrics' for metrics in installation.metrics)}",
        f"Logs:    {installation.gateway.log.parent}",
        "Ctrl-C stops everything.",
        "",
    ]


def describe(task: FirstTask) -> str:
    """Say in a line how the first task went."""
    states = " -> ".join(state.name for state in task.states) or "nothing seen of it"
    if task.succeeded:
        return f"First task {task.task_id} (echo): {states} in {task.seconds * 1000:.0f} ms"
    reason = f" ({task.waits_for.name})" if task.waits_for else ""
    return (
        f"Warning: the first task {task.task_id} (echo) has not finished after {task.seconds:.0f} s: {states}{reason}"
    )

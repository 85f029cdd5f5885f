"""`taskwire dev`: serve on this machine until told to stop."""

import asyncio
import json
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from taskwire.errors import TaskwireError
from taskwire_dev.database import served_types
from taskwire_dev.failure import StartFailed
from taskwire_dev.first_task import FirstTask, run_first_task
from taskwire_dev.installation import GRPC_PORT, Installation, Plan, running, stop_seconds
from taskwire_dev.ports import LOOPBACK
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
            for line in lines_to_copy(installation, types):
                plan.say(line)
            plan.say(installation.ready_line)
            try:
                await asyncio.Event().wait()
            finally:
                plan.say("Taskwire stops.")


async def _check(settings: Settings, installation: Installation) -> str:
    if _SHIPPED not in settings.handlers or settings.tls_cert_file:
        return f"No first task was run: that takes {_SHIPPED} among the handlers, and no TLS."
    queue = settings.queues[0] if settings.queues else DEFAULT_QUEUE
    try:
        return describe(await run_first_task(installation.address, queue))
    except TaskwireError as error:
        raise StartFailed(f"The gateway does not take a task: {error}. See {installation.gateway.log}.") from error


def describe(task: FirstTask) -> str:
    """Say in a line how the first task went."""
    states = " -> ".join(state.name for state in task.states) or "nothing seen of it"
    if task.succeeded:
        return f"First task {task.task_id} (echo): {states} in {task.seconds * 1000:.0f} ms"
    reason = f" ({task.waits_for.name})" if task.waits_for else ""
    return (
        f"Warning: the first task {task.task_id} (echo) has not finished after {task.seconds:.0f} s: {states}{reason}"
    )


def lines_to_copy(installation: Installation, types: Sequence[str]) -> list[str]:
    """Return what to type to use the installation, which serves `types`: for a shell in this folder."""
    address = installation.address
    example = _example(types)
    task = shlex.quote(json.dumps({"task": {"queue": DEFAULT_QUEUE, **example}}))
    words = [example["type"], *([example["input"]["text"]] if "input" in example else [])]
    one = '{"task_id": "PUT-THE-ID-HERE"}'
    service = "taskwire.v1.TaskService"
    taskwire = _command("taskwire")
    buf = f"{_command('buf')} curl --protocol grpc --http2-prior-knowledge"
    if address != f"{LOOPBACK}:{GRPC_PORT}":
        taskwire = f"TASKWIRE_ADDRESS={address} {taskwire}"
    return [
        "",
        "With grpcurl:",
        f"  grpcurl -plaintext {address} list",
        f"  grpcurl -plaintext -d {task} {address} {service}/CreateTask",
        f"  grpcurl -plaintext -d '{one}' {address} {service}/WatchTask",
        f"  grpcurl -plaintext -d '{one}' {address} {service}/CancelTask",
        "With buf:",
        f"  {buf} -d {task} http://{address}/{service}/CreateTask",
        f"  {buf} -d '{one}' http://{address}/{service}/WatchTask",
        "With taskwire:",
        f"  {taskwire} create {shlex.join(words)}",
        f"  {taskwire} list",
        f"  {taskwire} watch PUT-THE-ID-HERE",
        f"  {taskwire} cancel PUT-THE-ID-HERE",
        "",
        f"Metrics: {' and '.join(f'http://{metrics}/metrics' for metrics in installation.metrics)}",
        f"Logs:    {installation.gateway.log.parent}",
        "Ctrl-C stops everything.",
        "",
    ]


def _example(types: Sequence[str]) -> dict[str, Any]:
    """Return a task that somebody runs. What a handler of the user takes is not known: its input is left out."""
    if "sleep" in types or not types:
        return {"type": "sleep", "input": {"text": '{"seconds": 2}'}}
    return {"type": min(types)}


def _command(name: str) -> str:
    """Return how to call a program that was installed with this one, as short as possible from here."""
    if shutil.which(name):
        return name
    path = Path(sys.executable).parent / name
    if not path.exists():
        return name
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))

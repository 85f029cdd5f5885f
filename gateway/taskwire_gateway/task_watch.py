"""`WatchTask`: one task, every version, until it is done."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway.convert import payload_message, progress_message, task_message, timestamp
from taskwire_gateway.dispatcher import Dispatcher
from taskwire_gateway.edge import Send
from taskwire_gateway.follower import Follower
from taskwire_gateway.tailer import Tailer
from taskwire_gateway.validation import check_watch_task
from taskwire_gateway.violations import refuse_field
from taskwire_gateway.watch_reads import WatchReads
from taskwire_gateway.watches import Watch, Watches
from taskwire_shared.domain.errors import ResumeTokenExpired, TaskNotFound
from taskwire_shared.domain.task import Progress, Task, TaskState
from taskwire_shared.telemetry.metrics import GatewayMetrics

METHOD = "WatchTask"
SILENCE_SECONDS_MAX = 15.0
"""Whatever the setting says: no message tells callers of this call what to expect, so that they take this for it."""


class TaskWatcher:
    """Serves `WatchTask`."""

    def __init__(
        self, reads: WatchReads, tailer: Tailer, dispatcher: Dispatcher, watches: Watches, metrics: GatewayMetrics
    ) -> None:
        self._reads = reads
        self._tailer = tailer
        self._dispatcher = dispatcher
        self._watches = watches
        self._sent = metrics.watch_tasks_sent.labels(METHOD)

    async def watch_task(self, tenant: str, request: pb.WatchTaskRequest, send: Send) -> None:
        """Send every version after `after_version`, and end after the final one."""
        check_watch_task(request)
        task_id = UUID(request.task_id)
        # Registered before the task is read, so that nothing can fall between the reading and the dealing.
        with (
            self._watches.open(METHOD, silence_seconds_max=SILENCE_SECONDS_MAX) as watch,
            self._dispatcher.follow(task_id, watch.alarm) as follower,
        ):
            await self._tailer.joined()
            full = request.view == task_pb2.TASK_VIEW_FULL
            task = await self._reads.task(tenant, task_id, full=full)
            if task is None:
                raise TaskNotFound(request.task_id)
            course = _Course(self._reads, watch, follower, send, task, full=full)
            try:
                await course.start(request.after_version if request.HasField("after_version") else None)
                while not course.is_over:
                    await course.step()
            finally:
                self._sent.inc(course.sent_count)


class _Course:
    """One watch on its way: what has been sent, and what comes next."""

    def __init__(
        self, reads: WatchReads, watch: Watch, follower: Follower, send: Send, task: Task, *, full: bool
    ) -> None:
        self.is_over = False
        self.sent_count = 0
        self._reads = reads
        self._watch = watch
        self._follower = follower
        self._send = send
        self._task = task
        self._input = None if task.input is None else payload_message(task.input)
        self._full = full
        self._version = 0
        self._progress: Progress | None = None

    async def start(self, after_version: int | None) -> None:
        """Send what is owed at once: the first message comes within one read."""
        task = self._task
        if after_version is not None and after_version > task.version:
            raise refuse_field("after_version", f"must not be newer than the task, which is at version {task.version}")
        if after_version is None or (task.state.is_final and after_version == task.version):
            await self._send_version(await self._with_output(task))
        else:
            self._version = after_version
            self._progress = task.progress
            self._follower.is_running = task.state is TaskState.RUNNING
            if after_version < task.version:
                self._follower.miss()
            else:
                await self._send_heartbeat()
        self._follower.follow_from(self._version)

    async def step(self) -> None:
        """Send what is at hand, or wait until there is something."""
        self._watch.check_age()
        follower = self._follower
        if follower.is_behind:
            await self._catch_up()
        elif (task := follower.take()) is not None:
            await self._send_version(task)
        elif self._watch.heartbeat_is_due or self._has_news:
            await self._send_heartbeat()
        else:
            await self._watch.wait()

    @property
    def _has_news(self) -> bool:
        """Tell whether a heartbeat would carry progress that was not shown: of an attempt that the watcher knows of."""
        return self._follower.is_running and _is_newer(self._follower.progress, self._progress)

    async def _catch_up(self) -> None:
        """Read the next versions from the table, at the pace of the reader."""
        self._follower.fall_back()
        page = await self._reads.versions(self._task.id, self._version)
        await self._send_page(page.versions)
        self._follower.follow_from(self._version)
        if not page.is_last:
            self._follower.miss()

    async def _send_page(self, versions: Sequence[Task]) -> None:
        for task in versions:
            if task.version != self._version + 1:
                # Its history is no longer kept in full.
                raise ResumeTokenExpired
            await self._send_version(task)

    async def _send_version(self, task: Task) -> None:
        message = task_message(task, full=self._full, with_output=task.state.is_final)
        if self._input is not None:
            message.input.CopyFrom(self._input)
        await self._send(pb.WatchTaskResponse(task=message))
        self._watch.spoke()
        self.sent_count += 1
        self._version = task.version
        # A report of an earlier attempt says nothing about this version.
        self._progress = self._follower.progress = task.progress
        self._follower.is_running = task.state is TaskState.RUNNING
        self.is_over = task.state.is_final

    async def _with_output(self, task: Task) -> Task:
        """Return `task` with its output, which a final task carries in every view."""
        if self._full or task.state is not TaskState.SUCCEEDED:
            return task
        return await self._reads.task(task.tenant, task.id, full=True) or task

    async def _send_heartbeat(self) -> None:
        heartbeat = pb.WatchHeartbeat(server_time=timestamp(datetime.now(UTC)))
        progress = self._follower.progress or self._progress
        if progress is not None and self._follower.is_running:
            heartbeat.progress.CopyFrom(progress_message(progress))
            self._progress = progress
        await self._send(pb.WatchTaskResponse(heartbeat=heartbeat))
        self._watch.spoke()


def _is_newer(report: Progress | None, shown: Progress | None) -> bool:
    return report is not None and (shown is None or report.updated_at > shown.updated_at)

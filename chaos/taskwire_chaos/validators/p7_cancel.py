"""P7: after a cancel nothing starts, and everybody sees the same winner."""

from collections.abc import Iterator, Sequence

from taskwire_chaos.books import EventRow
from taskwire_chaos.history import CANCELLED, FAILED, RUNNING, SUCCEEDED, History
from taskwire_chaos.journal import CancelTook, Reply

TOLD_SECONDS = 1.0
SLACK_SECONDS = 5.0
"""For a machine that is busy with other things as well, and for the time to end the process of a handler."""
_ALREADY = "TASK_ALREADY_FINISHED"


def check(history: History) -> Iterator[str]:
    """Give every attempt that began after a cancel, every slow end, and every reply that the end does not bear out."""
    for task_id, events in history.books.events.items():
        yield from _check_claims(task_id, events)
    took_all = list(history.all(CancelTook))
    if history.facts.tries_everything and {took.is_stubborn for took in took_all} != {True, False}:
        yield f"only {len(took_all)} cancels were timed at rest, not one of each kind of handler"
    for took in took_all:
        most = TOLD_SECONDS + SLACK_SECONDS + (history.facts.cancel_grace_seconds if took.is_stubborn else 0)
        if took.seconds > most:
            yield f"task {took.task} was cancelled at rest, and ended {took.seconds:.1f} s later"
    for call, reply in history.calls("cancel"):
        task = history.books.tasks.get(call.tasks[0])
        if reply is not None and task is not None:
            yield from _check_reply(call.tasks[0], reply, task.state, is_asked=task.cancel_requested_at is not None)


def _check_claims(task_id: str, events: Sequence[EventRow]) -> Iterator[str]:
    is_asked, attempt = False, 0
    for event in events:
        if is_asked and event.attempt > attempt:
            yield f"attempt {event.attempt} of task {task_id} began after its cancel"
        if is_asked and event.state not in {RUNNING, SUCCEEDED, CANCELLED}:
            yield f"task {task_id} went on to state {event.state} after its cancel"
        is_asked = is_asked or event.cancel_requested_at is not None
        attempt = event.attempt


def _check_reply(task_id: str, reply: Reply, state: int, *, is_asked: bool) -> Iterator[str]:
    if reply.verdict == "ok":
        if not is_asked:
            yield f"the cancel of task {task_id} was accepted and is not recorded"
        if CANCELLED in reply.states and state != CANCELLED:
            yield f"task {task_id} was CANCELLED in a reply and ended as {state}"
    elif reply.reason == _ALREADY and state not in {SUCCEEDED, FAILED}:
        yield f"task {task_id} had already finished in a reply and ended as {state}"

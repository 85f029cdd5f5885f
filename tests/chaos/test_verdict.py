"""Each validator objects to what breaks its promise, and to nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from taskwire_chaos.books import Books, EventRow, ProcessorRow, TaskRow
from taskwire_chaos.history import History
from taskwire_chaos.journal import (
    ABSENT,
    PROMOTED,
    Call,
    CancelTook,
    Exited,
    Held,
    Idle,
    Overdue,
    Phase,
    Prompt,
    Ran,
    Recovered,
    Reply,
    Rung,
    Seen,
    ServerSaid,
    WatchEnded,
    WatchOpened,
)
from taskwire_chaos.layout import Facts
from taskwire_chaos.verdict import judge

TASK = "01900000-0000-7000-8000-000000000001"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FACTS = Facts(seed=1, length="test", lease_seconds=4, cancel_grace_seconds=1, bound_seconds=60)
ROW = TaskRow(
    id=TASK,
    tenant="default",
    type="chaos.work",
    state=4,
    version=3,
    attempt=1,
    excused=0,
    max_attempts=30,
    failure=None,
    output=f'{{"task": "{TASK}", "attempt": 1}}',
    input='{"tag": "tag"}',
    key=None,
    cancel_requested_at=None,
    created_at=NOON,
    expire_at=None,
    due_at=None,
)


def event(version: int, state: int, attempt: int = 1, **changes: object) -> EventRow:
    made = EventRow(
        task_id=TASK,
        version=version,
        tenant="default",
        state=state,
        attempt=attempt,
        excused=0,
        at=NOON + timedelta(seconds=version),
        processor="p" if attempt else None,
        cancel_requested_at=None,
        seq=version,
    )
    return structs.replace(made, **changes)


EVENTS = [event(1, 2, 0), event(2, 3), event(3, 4)]
RECORDS = [
    WatchOpened(at=1, watch="feed"),
    Call(at=2, op="a", method="create", tasks=(TASK,), content="tag", kind="brief"),
    Reply(at=3, op="a", verdict="ok", tasks=(TASK,), states=(2,), versions=(1,)),
    WatchOpened(at=3, watch="w", task=TASK),
    Ran(at=4, task=TASK, attempt=1, what="start", pid=1),
    Ran(at=5, task=TASK, attempt=1, what="end", pid=1),
    Seen(at=6, watch="w", changes=((TASK, 2, 3, 1), (TASK, 3, 4, 1))),
    WatchEnded(at=6, watch="w", how="final"),
    Seen(at=6, watch="feed", changes=((TASK, 1, 2, 0), (TASK, 2, 3, 1), (TASK, 3, 4, 1))),
]


def history(*more: object, without: type | None = None, events: list[EventRow] | None = None, **row: object) -> History:
    """Return the kept history with more records, without those of a kind, or with another row or events."""
    books = Books(
        tasks={TASK: structs.replace(ROW, **row)},
        events={TASK: EVENTS if events is None else events},
        processors={"p": ProcessorRow("p", NOON + timedelta(hours=1))},
    )
    records = [*(record for record in RECORDS if without is None or not isinstance(record, without)), *more]
    return History(FACTS, lambda kinds: (record for record in records if isinstance(record, tuple(kinds))), books)


OTHER = "01900000-0000-7000-8000-000000000002"
CANCELLED_EVENTS = [event(1, 2, 0), event(2, 3), event(3, 3, cancel_requested_at=NOON), event(4, 2), event(5, 3, 2)]


def _broken(judged: History) -> set[str]:
    return {name.split()[0] for name, violations in judge(judged).items() if violations}


def _reply(verdict: str, **fields: object) -> Reply:
    return Reply(op="b", verdict=verdict, **fields)  # type: ignore[arg-type]


def _asked(method: str, verdict: str, **fields: object) -> tuple[Call, Reply]:
    """Return a call about the task, when it had been accepted, and its answer."""
    return Call(at=9, op="b", method=method, tasks=(TASK,)), structs.replace(_reply(verdict, **fields), at=10)


def _held(when: str, memory: int, pid: int = 7) -> Held:
    return Held(service="g", when=when, pid=pid, memory=memory, descriptors=9, tasks=9, postgres=6, nats=1, consumers=3)


def test_a_history_that_keeps_every_promise() -> None:
    assert _broken(history()) == set()


BROKEN = {
    "accepted and gone": ("P1", history(Call(op="b", method="create"), _reply("ok", tasks=(OTHER,)))),
    "accepted with another content": ("P1", history(input='{"tag": "other"}')),
    "accepted as another type": ("P1", history(type="chaos.thread")),
    "accepted for another tenant": ("P1", history(tenant="foreign")),
    "accepted with other attempts": ("P1", history(max_attempts=3)),
    "accepted without a task": ("P1", history(Call(op="b", method="create", key="k"), _reply("ok"))),
    "accepted and not found by a get": ("P1", history(*_asked("get", "fail", reason="TASK_NOT_FOUND"))),
    "accepted and not found by a cancel": ("P1", history(*_asked("cancel", "fail", reason="TASK_NOT_FOUND"))),
    "accepted and not found by a watch": (
        "P1",
        history(WatchOpened(at=9, watch="x", task=TASK), WatchEnded(at=10, watch="x", how=ABSENT)),
    ),
    "cancelled by its caller": ("P1", history(ServerSaid(what="canceling statement due to user request"))),
    "one id, two contents": (
        "P2",
        history(Call(op="b", method="create", tasks=(TASK,), content="other"), _reply("ok", tasks=(TASK,))),
    ),
    "deadlock": ("P2", history(ServerSaid(what="ERROR:  deadlock detected"))),
    "not run": ("P3", history(without=Ran)),
    "run without a claim": ("P3", history(Ran(task=TASK, attempt=7, what="start", pid=1))),
    "rung for and never stored": ("P3", history(Rung(tasks=(OTHER,)))),
    "failed without a reason to": ("P3", history(state=5, failure="OUTCOME_UNSTORABLE", output=None)),
    "gap in the versions": ("P4", history(events=[event(1, 2, 0), event(3, 4)])),
    "two ends": ("P4", history(events=[event(1, 2, 0), event(2, 3), event(3, 4), event(4, 4)], version=4)),
    "illegal step": ("P4", history(events=[event(1, 2, 0), event(2, 4, 0)], version=2)),
    "attempt not counted": ("P4", history(events=[event(1, 2, 0), event(2, 3, 2), event(3, 4, 2)], attempt=2)),
    "result of another attempt": ("P4", history(output=f'{{"task": "{TASK}", "attempt": 2}}')),
    "success without a result": ("P4", history(output=None)),
    "started twice": ("P4", history(Ran(task=TASK, attempt=1, what="start", pid=2))),
    "shown what never was": (
        "P4",
        history(Call(op="b", method="get"), _reply("ok", tasks=(TASK,), states=(6,), versions=(3,))),
    ),
    "shown another task": ("P4", history(*_asked("get", "ok", tasks=(OTHER,)))),
    "shown what was before": (
        "P4",
        history(
            *_asked("get", "ok", tasks=(TASK,), states=(4,), versions=(3,)),
            Call(at=11, op="c", method="get", tasks=(TASK,)),
            Reply(at=12, op="c", verdict="ok", tasks=(TASK,), states=(3,), versions=(2,)),
        ),
    ),
    "overdue": ("P5", history(Overdue(task=TASK, what="has been pending", seconds=70))),
    "nobody hears rings": ("P5", history(*(Prompt(task=TASK, seconds=1.5) for _ in range(15)))),
    "taken back late": ("P5", history(Recovered(task=TASK, seconds=20))),
    "cancelled late": ("P7", history(CancelTook(task=TASK, is_stubborn=False, seconds=9))),
    "missed": ("P6", history(WatchOpened(watch="x", task=TASK), Seen(watch="x", changes=((TASK, 1, 2, 0),)))),
    "another task seen": (
        "P6",
        history(
            WatchOpened(watch="x", task=OTHER),
            Seen(watch="x", changes=((TASK, 3, 4, 1),)),
            WatchEnded(watch="x", how="final"),
        ),
    ),
    "begun too late": (
        "P6",
        history(
            WatchOpened(watch="x", task=TASK, after=0),
            Seen(watch="x", changes=((TASK, 2, 3, 1), (TASK, 3, 4, 1))),
            WatchEnded(watch="x", how="final"),
        ),
    ),
    "absent after it was seen": (
        "P6",
        history(
            WatchOpened(at=1, watch="x", task=TASK),
            Seen(watch="x", changes=((TASK, 1, 2, 0),)),
            WatchEnded(watch="x", how=ABSENT),
        ),
    ),
    "seen twice": ("P6", history(Seen(watch="w", changes=((TASK, 3, 4, 1),)))),
    "seen as it never was": (
        "P6",
        history(
            WatchOpened(watch="x", task=TASK),
            Seen(watch="x", changes=((TASK, 3, 6, 1),)),
            WatchEnded(watch="x", how="final"),
        ),
    ),
    "a token that expired": ("P6", history(WatchEnded(at=50, watch="feed", how="RESUME_TOKEN_EXPIRED"))),
    "not seen to the end": ("P6", history(WatchOpened(watch="x", task=TASK), WatchEnded(watch="x", how="unfinished"))),
    "begun after its cancel": ("P7", history(events=CANCELLED_EVENTS, cancel_requested_at=NOON)),
    "cancelled in a reply only": (
        "P7",
        history(Call(op="b", method="cancel", tasks=(TASK,)), _reply("ok", tasks=(TASK,), states=(6,), versions=(3,))),
    ),
    "tried too often": ("P8", history(attempt=31)),
    "given up too soon": ("P8", history(state=5, failure="ATTEMPTS_EXHAUSTED", output=None)),
    "memory held": ("P9", history(_held("before", 100), _held("after", 100 + 17 * 1024**2))),
    "not the same service": ("P9", history(_held("before", 100), _held("after", 100, pid=8))),
    "refused without a time": ("P9", history(Call(op="b", method="create"), _reply("unknown", reason="OVERLOADED"))),
    "internal error": ("P9", history(Call(op="b", method="get"), _reply("unknown", reason="INTERNAL"))),
    "fallen over": ("P9", history(Exited(service="gateway-1", exit_code=1))),
    "left in a transaction": ("P9", history(Idle(connection="taskwire gateway"))),
    "watched by a foreigner": (
        "P10",
        history(Call(op="b", method="foreign.watch_all", tasks=(TASK,)), _reply("ok", tasks=(TASK,))),
    ),
    "queue seen by a foreigner": (
        "P10",
        history(Call(op="b", method="foreign.queues"), _reply("ok", tasks=("default",))),
    ),
    "seen by a foreigner": ("P10", history(Call(op="b", method="foreign.get"), _reply("ok", tasks=(TASK,)))),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found(name: str) -> None:
    promise, judged = BROKEN[name]

    assert promise in _broken(judged)


def _batch(first: str, second: str) -> History:
    """Return a history with a batch of two tasks, stored with these contents."""
    rows = {one: structs.replace(ROW, id=one, output=f'{{"task": "{one}", "attempt": 1}}') for one in (TASK, OTHER)}
    for one, tag in ((TASK, first), (OTHER, second)):
        rows[one] = structs.replace(rows[one], input=f'{{"tag": "{tag}"}}')
    events = {one: [structs.replace(event, task_id=one) for event in EVENTS] for one in rows}
    records = [
        Call(at=2, op="a", method="create", tasks=(TASK, OTHER), content="batch"),
        Reply(at=3, op="a", verdict="ok", tasks=(TASK, OTHER), states=(2, 2), versions=(1, 1)),
        *(Ran(at=4, task=one, attempt=1, what=what, pid=1) for one in rows for what in ("start", "end")),
    ]
    kept = history()
    return History(
        FACTS,
        lambda kinds: (record for record in records if isinstance(record, tuple(kinds))),
        Books(rows, events, kept.books.processors),
    )


def test_p1_the_contents_of_a_batch_that_have_changed_places() -> None:
    assert _broken(_batch(TASK, OTHER)) == set()
    assert _broken(_batch(OTHER, TASK)) == {"P1"}


def test_p1_a_watch_that_was_opened_before_its_task_was_accepted_may_be_told_that_it_is_not_there() -> None:
    opened, ended = WatchOpened(at=2, watch="x", task=TASK), WatchEnded(at=4, watch="x", how=ABSENT)

    assert _broken(history(opened, ended)) == set()


def test_p4_calls_at_the_same_time_may_be_answered_in_any_order() -> None:
    newer = _asked("get", "ok", tasks=(TASK,), states=(4,), versions=(3,))
    older = (
        structs.replace(newer[0], op="c"),
        Reply(at=12, op="c", verdict="ok", tasks=(TASK,), states=(3,), versions=(2,)),
    )

    assert _broken(history(*newer, *older)) == set()


def test_a_run_that_tries_everything_has_timed_starts_and_cancels_at_rest() -> None:
    facts = structs.replace(FACTS, tries_everything=True)
    starts = [Prompt(task=TASK, seconds=0.1) for _ in range(15)]
    cancels = [CancelTook(task=TASK, is_stubborn=is_stubborn, seconds=1) for is_stubborn in (False, True)]

    assert _broken(structs.replace(history(*starts, *cancels), facts=facts)) == set()
    assert _broken(structs.replace(history(*starts, cancels[0]), facts=facts)) == {"P7"}
    assert _broken(structs.replace(history(*starts[:5], *cancels), facts=facts)) == {"P5"}


def test_p2_a_key_with_two_tasks() -> None:
    kept = history(key="k")
    row = kept.books.tasks[TASK]
    books = Books({**kept.books.tasks, OTHER: structs.replace(row, id=OTHER)}, kept.books.events, {})

    assert "P2" in _broken(structs.replace(kept, books=books))


def test_p4_a_claim_after_the_lease_had_passed() -> None:
    kept = history()
    dead = ProcessorRow("p", NOON - timedelta(seconds=5))

    assert _broken(structs.replace(kept, books=structs.replace(kept.books, processors={"p": dead}))) == {"P4"}


def test_p6_a_feed_that_misses_a_task() -> None:
    assert "P6" in _broken(history(WatchOpened(at=1, watch="other feed")))


def test_p6_a_token_may_expire_when_a_standby_was_promoted() -> None:
    expired = WatchEnded(at=50, watch="feed", how="RESUME_TOKEN_EXPIRED")

    assert _broken(history(Phase(at=40, name=PROMOTED), expired)) == set()


def test_p6_a_watch_that_was_opened_later_need_not_have_seen_what_was_before() -> None:
    opened = NOON.timestamp() + 2.5
    late = Seen(watch="late", changes=((TASK, 3, 4, 1),))

    assert _broken(history(WatchOpened(at=opened, watch="late"), late)) == set()
    assert _broken(history(WatchOpened(at=opened, watch="late"))) == {"P6"}

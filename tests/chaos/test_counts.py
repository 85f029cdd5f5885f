"""What counts as a race is counted by its rule."""

from datetime import UTC, datetime

import pytest

from taskwire_chaos.books import Books, EventRow, TaskRow
from taskwire_chaos.counts import count
from taskwire_chaos.history import History
from taskwire_chaos.journal import Call, Ran, Record, Reply, Struck, Verdict, WatchOpened
from taskwire_chaos.layout import Facts

TASK = "01900000-0000-7000-8000-000000000001"
FACTS = Facts(seed=1, length="test", lease_seconds=4, cancel_grace_seconds=1, bound_seconds=60)
END = 1000.0
"""When the handler ended."""
STORED = 1000.010


def _event(version: int, state: int, at: float) -> EventRow:
    return EventRow(
        task_id=TASK,
        version=version,
        tenant="default",
        state=state,
        attempt=1,
        excused=0,
        at=datetime.fromtimestamp(at, UTC),
        processor="p",
        cancel_requested_at=None,
        seq=version,
    )


def _counts(*records: Record) -> dict[str, int]:
    row = TaskRow(
        id=TASK,
        tenant="default",
        type="chaos.suicide",
        state=4,
        version=3,
        attempt=1,
        excused=0,
        max_attempts=3,
        failure=None,
        output=None,
        input=None,
        key=None,
        cancel_requested_at=None,
        created_at=datetime.fromtimestamp(999, UTC),
        expire_at=None,
        due_at=None,
    )
    events = [_event(1, 2, 999.0), _event(2, 3, 999.5), _event(3, 4, STORED)]
    books = Books(tasks={TASK: row}, events={TASK: events}, processors={})
    return dict(count(History(FACTS, lambda kinds: (one for one in records if isinstance(one, tuple(kinds))), books)))


@pytest.mark.parametrize(
    ("called", "answered", "races"),
    [
        (999.99, 1000.001, 1),
        (1000.005, 1000.02, 1),
        (999.9, 1000.5, 1),
        (999.9, 999.999, 0),
        (1000.011, 1000.02, 0),
    ],
)
def test_a_cancel_races_when_it_is_under_way_between_the_end_of_a_handler_and_that_of_its_task(
    called: float, answered: float, races: int
) -> None:
    counts = _counts(
        Ran(task=TASK, attempt=1, what="end", pid=1, at=END),
        Call(op="c", method="cancel", tasks=(TASK,), at=called),
        Reply(op="c", verdict="fail", at=answered),
    )

    assert counts["cancel races"] == races
    assert counts["cancels"] == 1


def test_a_cancel_of_a_handler_that_never_ended_is_no_race() -> None:
    counts = _counts(
        Ran(task=TASK, attempt=1, what="start", pid=1, at=END),
        Call(op="c", method="cancel", tasks=(TASK,), at=999.9),
        Reply(op="c", verdict="ok", at=1001),
    )

    assert counts["cancel races"] == 0


@pytest.mark.parametrize(("opened", "races"), [(998.98, 1), (999.02, 1), (999.03, 0), (998.97, 0)])
def test_a_watch_races_when_it_is_opened_around_a_transition(opened: float, races: int) -> None:
    assert _counts(WatchOpened(watch="w", task=TASK, at=opened))["watch races"] == races


def test_kills_losses_poison_and_refusals_are_counted() -> None:
    counts = _counts(
        *(Struck(fault=name) for name in ("kill processor", "wipe nats", "roll back nats", "delete stream")),
        Call(op="c", method="create", tasks=(TASK,), kind="suicide"),
        Reply(op="c", verdict="unknown", reason="QUEUE_FULL"),
    )

    assert counts["processor kills"] == 1
    assert counts["losses of the NATS store"] == 2
    assert counts["poison tasks"] == 1
    assert counts["refusals"] == 1


@pytest.mark.parametrize(("taken", "refused", "overloads"), [(1, 4, 1), (1, 3, 0), (0, 1, 1), (1, 0, 0)])
def test_a_flood_is_an_overload_when_five_times_what_is_taken_is_offered(
    taken: int, refused: int, overloads: int
) -> None:
    answers: list[tuple[Verdict, str]] = [("ok", "")] * taken + [("unknown", "QUEUE_FULL")] * refused
    batch = ("a", "b", "c")

    counts = _counts(
        Struck(fault="overload", at=999.0),
        *(Call(op=str(op), method="create", tasks=batch, at=1003.9) for op in range(len(answers))),
        *(Reply(op=str(op), verdict=verdict, reason=reason, at=1006.0) for op, (verdict, reason) in enumerate(answers)),
    )

    assert counts["overloads"] == overloads


@pytest.mark.parametrize(
    ("at", "reason"), [(998.9, "QUEUE_FULL"), (1004.1, "QUEUE_FULL"), (1001.0, "GIVEN_UP"), (1001.0, "UNAVAILABLE")]
)
def test_what_is_outside_a_flood_or_not_answered_by_a_gateway_is_no_overload(at: float, reason: str) -> None:
    counts = _counts(
        Struck(fault="overload", at=999.0),
        Call(op="c", method="create", tasks=(TASK,), at=at),
        Reply(op="c", verdict="unknown", reason=reason, at=at),
    )

    assert counts["overloads"] == 0

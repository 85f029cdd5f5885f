import re

from taskwire_shared.domain.audit import Check
from taskwire_shared.domain.task import TaskState
from taskwire_shared.domain.transitions import LEGAL_STEPS
from taskwire_shared.store.audit_rules import CONDITIONS, FOLDED
from taskwire_shared.store.tables import task_events, tasks

# What an event has and its task has not, or has by another name.
OF_EVENTS_ALONE = {"task_id", "at", "xid", "seq"}


def test_every_column_of_an_event_is_compared_with_the_task() -> None:
    assert set(FOLDED) == {column.name for column in task_events.columns} - OF_EVENTS_ALONE
    assert set(FOLDED) <= {column.name for column in tasks.columns}


def test_steps_are_those_of_the_table_of_transitions() -> None:
    (condition,) = [condition for condition in CONDITIONS if condition.check is Check.STEPS]
    codes = {int(code) for code in re.findall(r"\d+", condition.sql.partition("NOT IN")[2])}

    assert codes == {(before or 0) * 10 + after for before, after in LEGAL_STEPS}
    # Two digits hold every step.
    assert max(TaskState) < 10

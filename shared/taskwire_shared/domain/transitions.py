"""The state machine of a task: every legal transition, once.

The SQL of the store, the CHECKs of the database, the docs and the API are compared with this table by tests.
"""

from enum import StrEnum

from taskwire_shared.domain.task import TaskState

S = TaskState


class Transition(StrEnum):
    """What happens to a task. Each is one version and one event."""

    CREATE = "create"
    START_DUE = "start_due"
    CLAIM = "claim"
    SUCCEED = "succeed"
    FAIL = "fail"
    RETRY = "retry"
    HAND_BACK = "hand_back"
    """Its processor was asked to stop; the attempt is excused."""
    TAKE_BACK = "take_back"
    """Its processor or runner was lost; the attempt counts."""
    EXPIRE = "expire"
    CANCEL = "cancel"
    REQUEST_CANCEL = "request_cancel"


LEGAL: dict[Transition, frozenset[tuple[TaskState | None, TaskState]]] = {
    Transition.CREATE: frozenset({(None, S.SCHEDULED), (None, S.PENDING)}),
    Transition.START_DUE: frozenset({(S.SCHEDULED, S.PENDING)}),
    Transition.CLAIM: frozenset({(S.PENDING, S.RUNNING)}),
    Transition.SUCCEED: frozenset({(S.RUNNING, S.SUCCEEDED)}),
    Transition.FAIL: frozenset({(S.RUNNING, S.FAILED)}),
    Transition.RETRY: frozenset({(S.RUNNING, S.SCHEDULED)}),
    Transition.HAND_BACK: frozenset({(S.RUNNING, S.PENDING)}),
    Transition.TAKE_BACK: frozenset({(S.RUNNING, S.PENDING), (S.RUNNING, S.FAILED)}),
    Transition.EXPIRE: frozenset({(S.SCHEDULED, S.FAILED), (S.PENDING, S.FAILED), (S.RUNNING, S.FAILED)}),
    Transition.CANCEL: frozenset({(S.SCHEDULED, S.CANCELLED), (S.PENDING, S.CANCELLED), (S.RUNNING, S.CANCELLED)}),
    Transition.REQUEST_CANCEL: frozenset({(S.RUNNING, S.RUNNING)}),
}

LEGAL_STEPS: frozenset[tuple[TaskState | None, TaskState]] = frozenset().union(*LEGAL.values())

"""The state machine."""

from taskwire_shared.domain.task import TaskState
from taskwire_shared.domain.transitions import LEGAL, LEGAL_STEPS, Transition


def test_every_transition_has_its_steps() -> None:
    assert set(LEGAL) == set(Transition)
    assert all(LEGAL.values())


def test_final_means_final() -> None:
    assert not [step for step in LEGAL_STEPS if step[0] is not None and step[0].is_final]


def test_every_state_is_reached_and_every_waiting_one_can_be_left() -> None:
    assert {target for _, target in LEGAL_STEPS} == set(TaskState)
    for state in TaskState:
        if not state.is_final:
            assert (state, TaskState.CANCELLED) in LEGAL_STEPS
            assert (state, TaskState.FAILED) in LEGAL_STEPS


def test_only_a_running_task_succeeds() -> None:
    assert {source for source, target in LEGAL_STEPS if target is TaskState.SUCCEEDED} == {TaskState.RUNNING}

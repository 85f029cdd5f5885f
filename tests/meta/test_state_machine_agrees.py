"""The domain, the API and the picture of the architecture tell the same story."""

import re
from collections import defaultdict
from enum import IntEnum
from pathlib import Path

import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from taskwire.v1 import task_pb2
from taskwire_shared.domain.task import TaskPriority, TaskState, WaitReason
from taskwire_shared.domain.transitions import LEGAL

REPOSITORY = Path(__file__).resolve().parents[2]
EDGE = re.compile(r"^    (?P<source>\S+) --> (?P<target>[A-Z]+): (?P<label>.*)$", re.MULTILINE)


@pytest.mark.parametrize(
    ("domain", "api", "prefix"),
    [
        (TaskState, task_pb2.TaskState, "TASK_STATE_"),
        (TaskPriority, task_pb2.TaskPriority, "TASK_PRIORITY_"),
        (WaitReason, task_pb2.WaitReason, "WAIT_REASON_"),
    ],
)
def test_numbers_of_the_domain_are_those_of_the_api(domain: type[IntEnum], api: EnumTypeWrapper, prefix: str) -> None:
    in_domain = {member.name: member.value for member in domain if member.value != 0}
    in_api = {name.removeprefix(prefix): number for name, number in api.items() if number != 0}

    assert in_domain == in_api


def test_final_states_are_those_without_a_way_out() -> None:
    with_way_out = {source for steps in LEGAL.values() for source, _ in steps}

    assert {state for state in TaskState if state.is_final} == set(TaskState) - with_way_out


def test_drawn_transitions_are_the_legal_ones() -> None:
    drawn = defaultdict(set)
    text = (REPOSITORY / "ARCHITECTURE.md").read_text()
    diagram = text.split("stateDiagram-v2\n", 1)[1].split("```", 1)[0]
    for edge in EDGE.finditer(diagram):
        source = None if edge["source"] == "[*]" else TaskState[edge["source"]]
        for name in edge["label"].split(",")[: None if source else 1]:
            drawn[name.strip()].add((source, TaskState[edge["target"]]))

    assert drawn == {transition.value: set(steps) for transition, steps in LEGAL.items()}

"""What is put together from parts reads like what the library would have written."""

import pytest

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway.changes_response import MESSAGE_BYTES_MAX, changes_response, encode_change, portions
from taskwire_shared.domain import limits


def _tasks(count: int, queue: str = "default") -> list[task_pb2.Task]:
    return [task_pb2.Task(id=str(number), queue=queue, version=number + 1) for number in range(count)]


@pytest.mark.parametrize("queue", ["", "q", "q" * 200, "q" * 20_000])
@pytest.mark.parametrize("token", ["", "t" * 256])
def test_a_response_is_the_message_that_the_library_makes(queue: str, token: str) -> None:
    tasks = _tasks(3, queue)

    encoded = changes_response(map(encode_change, tasks), token)

    assert pb.WatchTasksResponse.FromString(encoded) == pb.WatchTasksResponse(
        changes=pb.TaskChanges(tasks=tasks), resume_token=token
    )


def test_a_message_has_no_more_changes_than_the_contract_says() -> None:
    changes = [encode_change(task) for task in _tasks(2 * limits.CHANGES_PER_MESSAGE_MAX + 1)]

    found = portions(changes)

    assert [len(portion) for portion in found] == [limits.CHANGES_PER_MESSAGE_MAX, limits.CHANGES_PER_MESSAGE_MAX, 1]
    assert [change for portion in found for change in portion] == changes


def test_a_message_has_no_more_bytes_than_clients_accept() -> None:
    third = b"c" * (MESSAGE_BYTES_MAX // 3)
    assert [len(portion) for portion in portions([third] * 7)] == [3, 3, 1]


def test_a_change_that_is_bigger_than_a_message_has_one_to_itself() -> None:
    big = b"c" * (MESSAGE_BYTES_MAX + 1)
    assert portions([b"a", big, b"b"]) == [[b"a"], [big], [b"b"]]


def test_nothing_is_no_message() -> None:
    assert portions([]) == []

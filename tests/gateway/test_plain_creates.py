"""The short way to a new task leads where the long one does."""

import time

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway import plain_creates, validation
from taskwire_gateway.convert import new_task
from taskwire_gateway.plain_creates import STENCILS_MAX, STRANGERS_FOR_STENCIL, PlainCreates
from taskwire_shared.domain import limits
from taskwire_shared.domain.errors import InvalidFields
from taskwire_shared.domain.ids import id_at, new_id

BYTES_MAX = limits.PAYLOAD_BYTES_MAX

PLAIN = {
    "least": {"type": "echo"},
    "bytes": {"type": "echo", "input": task_pb2.Payload(binary=b"\0\xff")},
    "text": {"type": "echo", "input": task_pb2.Payload(text="é", content_type="text/plain")},
    "empty": {"type": "echo", "input": task_pb2.Payload()},
    "empty text": {"type": "echo", "input": task_pb2.Payload(text="")},
    "largest": {"type": "echo", "input": task_pb2.Payload(binary=bytes(BYTES_MAX))},
    "names": {"type": "a type", "queue": "mail", "priority": task_pb2.TASK_PRIORITY_HIGH},
    "named defaults": {"type": "echo", "queue": "default", "priority": task_pb2.TASK_PRIORITY_NORMAL},
}
RARE = {
    "labels": {"labels": {"a": "1"}},
    "schedule": {"schedule_time": Timestamp(seconds=2_000_000_000)},
    "expiry": {"expire_time": Timestamp(seconds=2_000_000_000)},
    "policy": {"retry_policy": task_pb2.RetryPolicy()},
}
BAD = {
    "no type": {"type": ""},
    "long type": {"type": "t" * (limits.TYPE_CHARS_MAX + 1)},
    "control in type": {"type": "a\nb"},
    "queue": {"queue": "Mail"},
    "priority": {"priority": 9},
    "bytes": {"input": task_pb2.Payload(binary=bytes(BYTES_MAX + 1))},
    "text": {"input": task_pb2.Payload(text="é" * (BYTES_MAX // 2 + 1))},
    "content type": {"input": task_pb2.Payload(content_type="x" * 256)},
    "NUL in content type": {"input": task_pb2.Payload(content_type="\0")},
}


def _request(task_id="", **fields):
    return pb.CreateTaskRequest(task_id=task_id, task=task_pb2.Task(**{"type": "echo", **fields}))


@pytest.mark.parametrize("fields", PLAIN.values(), ids=PLAIN)
def test_both_ways_make_the_same_task(fields):
    request = _request(str(new_id()), **fields)
    validation.check_create(request)
    assert PlainCreates().tasks("t", [request]) == [new_task("t", request)]


def test_who_names_no_id_gets_a_fresh_one():
    first, second = PlainCreates().tasks("t", [_request(), _request()])
    assert first.id != second.id
    assert abs((first.id.int >> 80) / 1000 - time.time()) < 60


@pytest.mark.parametrize("fields", RARE.values(), ids=RARE)
def test_what_is_rare_goes_the_long_way(fields):
    assert PlainCreates().tasks("t", [_request(), _request(**fields)]) is None


def test_a_key_goes_the_long_way():
    request = _request()
    request.idempotency_key = "key"
    assert PlainCreates().tasks("t", [request]) is None


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD)
def test_what_breaks_a_rule_is_left_to_be_explained(fields):
    request = _request(**fields)
    assert PlainCreates().tasks("t", [request]) is None
    with pytest.raises(InvalidFields):
        validation.check_create(request)


def test_a_create_without_a_task_is_left_to_be_explained():
    assert PlainCreates().tasks("t", [pb.CreateTaskRequest()]) is None


@pytest.mark.parametrize(("off_seconds", "is_taken"), [(-86_395, True), (-86_410, False), (295, True), (310, False)])
def test_ids_are_taken_while_they_are_fresh(off_seconds, is_taken):
    request = _request(str(id_at(int((time.time() + off_seconds) * 1000))))
    assert (PlainCreates().tasks("t", [request]) is not None) == is_taken


@pytest.mark.parametrize(
    "change", [str.upper, lambda text: text.replace("-", ""), lambda text: text[:14] + "4" + text[15:]]
)
def test_ids_are_taken_in_one_form_only(change):
    assert PlainCreates().tasks("t", [_request(change("01" + str(new_id())[2:]))]) is None


def _binary(length):
    return task_pb2.Payload(binary=b"p" * length)


def test_creates_that_are_alike_become_what_they_would_one_by_one():
    requests = [_request(str(new_id()), input=task_pb2.Payload(binary=b"%08d" % n)) for n in range(100)]
    assert PlainCreates().tasks("t", requests) == [new_task("t", request) for request in requests]


def test_different_creates_of_one_length_become_what_they_would_one_by_one():
    fields = [
        PLAIN["text"],
        PLAIN["bytes"],
        {"type": "echo", "input": _binary(5)},
        {"type": "oche", "input": _binary(5)},
    ]
    requests = [_request(str(new_id()), **one) for _ in range(3 * STRANGERS_FOR_STENCIL) for one in fields]
    assert PlainCreates().tasks("t", requests) == [new_task("t", request) for request in requests]


@pytest.mark.parametrize("task_id", [str(id_at(0)), "x" * 36], ids=["old", "none"])
def test_an_id_is_checked_as_well_where_the_create_is_like_others(task_id):
    plain = PlainCreates()
    assert plain.tasks("t", [_request(str(new_id()), input=_binary(9)) for _ in range(2 * STRANGERS_FOR_STENCIL)])
    assert plain.tasks("t", [_request(task_id, input=_binary(9))]) is None


def test_no_more_is_remembered_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(plain_creates, "LENGTHS_MAX", 10)
    plain = PlainCreates()
    for length in range(25):
        plain.tasks("t", [_request(input=_binary(length + 1)) for _ in range(STRANGERS_FOR_STENCIL)])
        assert len(plain._stencils) == length % 10 + 1
    for type_name in "abcdefgh":
        plain.tasks("t", [_request(type=type_name, input=_binary(9)) for _ in range(STRANGERS_FOR_STENCIL)])
    assert {len(stencils) for stencils in plain._stencils.values()} == {1, STENCILS_MAX}

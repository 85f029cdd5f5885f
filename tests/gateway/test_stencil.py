"""A stencil fits creates that are alike, and makes the same of them as the way without it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway.convert import new_task
from taskwire_gateway.stencil import Stencil
from taskwire_shared.domain.ids import new_id

TYPES = st.sampled_from(["echo", "mail", "é\N{SNOWMAN}", "a longer type"])
QUEUES = st.sampled_from(["", "default", "mail"])
INPUTS = st.one_of(
    st.builds(lambda data: task_pb2.Payload(binary=data), st.binary(max_size=300)),
    st.builds(lambda text: task_pb2.Payload(text=text), st.text(max_size=150)),
    st.builds(lambda text: task_pb2.Payload(text=text, content_type="text/plain"), st.text(max_size=150)),
)
PRIORITIES = st.sampled_from(task_pb2.TaskPriority.values())


def _request(*, named=True, **fields):
    request = pb.CreateTaskRequest(task=task_pb2.Task(**{"type": "echo", **fields}))
    request.task_id = str(new_id()) if named else ""
    return request


def _stencil(request):
    task_id = request.task_id or str(new_id())
    named = pb.CreateTaskRequest(task=request.task, task_id=task_id)
    return Stencil.of(request, new_task("t", named))


def _binary(data):
    return task_pb2.Payload(binary=data)


@given(
    st.builds(_request, type=TYPES, queue=QUEUES, input=INPUTS, priority=PRIORITIES),
    st.builds(_request, type=TYPES, queue=QUEUES, input=INPUTS, priority=PRIORITIES),
)
def test_what_fits_becomes_what_it_would_without(first, second):
    stencil, encoded = _stencil(first), second.SerializeToString()
    if stencil is not None and len(encoded) == first.ByteSize() and stencil.fits(encoded):
        expected = new_task("t", second)
        assert stencil.task(expected.id, "t", encoded) == expected


@given(st.integers(1, 400), st.data())
def test_another_input_of_the_same_length_fits(length, data):
    inputs = st.binary(min_size=length, max_size=length)
    first, second = (_request(input=_binary(data.draw(inputs))) for _ in range(2))
    stencil, encoded = _stencil(first), second.SerializeToString()
    assert stencil is not None
    assert stencil.fits(encoded)
    expected = new_task("t", second)
    assert stencil.task(expected.id, "t", encoded) == expected


DIFFERENT = {
    "type": _request(type="oche", input=_binary(b"12345678")),
    "kind of input": _request(input=task_pb2.Payload(text="12345678")),
    "queue for input": _request(queue="abcd", input=_binary(b"12")),
    "priority for input": _request(priority=task_pb2.TASK_PRIORITY_HIGH, input=_binary(b"123456")),
    "content type for input": _request(input=task_pb2.Payload(binary=b"1234", content_type="ab")),
    "labels for input": _request(labels={"": ""}, input=_binary(b"12")),
}


@pytest.mark.parametrize("other", DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_elsewhere_does_not_fit(other):
    stencil, encoded = _stencil(_request(input=_binary(b"12345678"))), other.SerializeToString()
    assert len(encoded) == len(_request(input=_binary(b"12345678")).SerializeToString())
    assert not stencil.fits(encoded)


def test_a_key_does_not_fit_where_an_id_was():
    named = _request(input=_binary(b"12345678"))
    keyed = _request(input=_binary(b"12345678"), named=False)
    keyed.idempotency_key = named.task_id
    assert keyed.ByteSize() == named.ByteSize()
    assert not _stencil(named).fits(keyed.SerializeToString())


def test_a_field_of_a_later_release_behind_the_id_hides_no_key():
    later = _request(input=_binary(b"12345678"))
    later.MergeFromString(b"\x92\x0f\x01x")
    keyed = _request(input=_binary(b"12345678"))
    keyed.idempotency_key = "ab"
    assert later.SerializeToString()[-4:] == b"\x92\x0f\x01x"
    assert later.ByteSize() == keyed.ByteSize()
    stencil = _stencil(later)
    assert stencil is None or not stencil.fits(keyed.SerializeToString())


def test_creates_without_an_id_have_a_stencil_of_their_own():
    stencil = _stencil(_request(input=_binary(b"one"), named=False))
    encoded = _request(input=_binary(b"two"), named=False).SerializeToString()
    assert stencil.fits(encoded)
    task_id = new_id()
    task = stencil.task(task_id, "t", encoded)
    assert (task.id, task.input.data) == (task_id, b"two")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"input": task_pb2.Payload()},
        {"input": _binary(b"")},
        # Only the service sets it, so that it is ignored in a create, whatever is in it.
        {"input": _binary(b"1234"), "id": "\0" * 4},
    ],
    ids=["none", "unset", "empty", "blank before it"],
)
def test_there_is_none_where_no_input_shows(fields):
    assert _stencil(_request(**fields)) is None

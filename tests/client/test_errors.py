"""Every reason becomes its exception, and nothing that a server sends breaks the mapping."""

import inspect
import re

import grpc
import pytest
from google.rpc import error_details_pb2

from taskwire import errors
from taskwire.v1 import task_service_pb2


def test_every_reason_of_the_api_has_its_exception() -> None:
    reasons = {
        name.removeprefix("ERROR_REASON_")
        for name, number in task_service_pb2.ErrorReason.items()
        if number != task_service_pb2.ERROR_REASON_UNSPECIFIED
    }

    assert errors.BY_REASON.keys() == reasons
    assert len(set(errors.BY_REASON.values())) == len(reasons)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = {
        match[2]: len(match[1]) // 2
        for match in re.finditer(r"^( *)([A-Z][A-Za-z]+)(?:  .*|)$", errors.__doc__ or "", re.MULTILINE)
    }
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.TaskwireError)]
    real = {kind.__name__: kind.__mro__.index(Exception) - 1 for kind in kinds}

    assert drawn == real


async def _raised(client, gateway, rejection) -> errors.TaskwireError:
    gateway.script("GetTask", rejection)
    with pytest.raises(errors.TaskwireError) as caught:
        await client.get("some-id")
    return caught.value


async def test_a_reason_brings_its_facts(client, gateway, reject) -> None:
    rejection = reject(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "QUEUE_FULL",
        {"queue": "a", "limit": "5"},
        message="full",
        retry_seconds=1.5,
    )
    error = await _raised(client, gateway, rejection)

    assert type(error) is errors.QueueFull
    assert (error.code, error.reason, str(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full")
    assert error.metadata == {"queue": "a", "limit": "5"}
    assert error.retry_after_seconds == 1.5


async def test_violations_are_listed(client, gateway, reject) -> None:
    violations = {"task.queue": "must not be empty", "task.type": "is too long"}
    rejection = reject(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS", violations=violations)
    error = await _raised(client, gateway, rejection)

    assert isinstance(error, errors.InvalidFields)
    assert {one.field: one.description for one in error.violations} == violations
    assert str(error) == "task.queue: must not be empty; task.type: is too long"


async def test_conflict_names_the_other_task_and_the_index(client, gateway, reject) -> None:
    metadata = {"task_id": "other", "index": "7"}
    error = await _raised(client, gateway, reject(grpc.StatusCode.ALREADY_EXISTS, "TASK_CONFLICT", metadata))

    assert isinstance(error, errors.TaskConflict)
    assert (error.task_id, error.index) == ("other", 7)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.INTERNAL, errors.InternalError),
        (grpc.StatusCode.NOT_FOUND, errors.NotFound),
        (grpc.StatusCode.DATA_LOSS, errors.TaskwireError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, errors.TaskwireError),
    ],
)
async def test_without_a_reason_the_code_decides(client, gateway, reject, code, kind) -> None:
    error = await _raised(client, gateway, reject(code))

    assert type(error) is kind
    assert error.reason == ""


async def test_unknown_reason_is_kept(client, gateway, reject) -> None:
    error = await _raised(client, gateway, reject(grpc.StatusCode.ABORTED, "INVENTED_LATER", {"a": "b"}))

    assert type(error) is errors.TaskwireError
    assert (error.reason, error.metadata) == ("INVENTED_LATER", {"a": "b"})


async def test_reason_of_another_domain_is_not_ours(client, gateway, reject) -> None:
    rejection = reject(grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND", {"task_id": "x"}, domain="proxy.example")
    error = await _raised(client, gateway, rejection)

    assert type(error) is errors.NotFound
    assert error.metadata == {}


@pytest.mark.parametrize(
    "kind", [error_details_pb2.RetryInfo, error_details_pb2.ErrorInfo, error_details_pb2.BadRequest]
)
async def test_a_detail_that_cannot_be_read_is_left_out(client, gateway, reject, kind) -> None:
    rejection = reject(grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND", {"task_id": "x"})
    name = f"type.googleapis.com/{kind.DESCRIPTOR.full_name}"
    rejection.status.details.insert(0, type(rejection.status.details[0])(type_url=name, value=b"\xff\xff"))
    error = await _raised(client, gateway, rejection)

    assert type(error) is errors.TaskNotFound
    assert error.task_id == "x"


async def test_delay_beyond_all_limits_is_a_number(client, gateway, reject) -> None:
    rejection = reject(grpc.StatusCode.UNAVAILABLE)
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.seconds = 2**62
    rejection.status.details.add().Pack(retry)
    rejected = reject(grpc.StatusCode.ABORTED)
    rejected.status.details.extend(rejection.status.details)
    gateway.script("GetTask", rejected)

    with pytest.raises(errors.TaskwireError) as caught:
        await client.get("x")
    assert caught.value.facts.retry_after_seconds == 2.0**62


def test_details_that_cannot_be_read_are_ignored() -> None:
    class Broken(grpc.RpcError):
        def code(self):
            return grpc.StatusCode.NOT_FOUND

        def details(self):
            return "gone"

        def trailing_metadata(self):
            return (("grpc-status-details-bin", b"\xff\xff"),)

    error = errors.error_from(Broken())

    assert type(error) is errors.NotFound
    assert str(error) == "gone"

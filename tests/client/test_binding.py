"""The parameters of a handler are filled by their annotations, or the task fails for good."""

from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import msgspec
import pytest

from taskwire import Attempt, Payload, TaskFailure
from taskwire.binding import bind_parameters


@dataclass
class Order:
    number: int
    note: str = ""


class Person(TypedDict):
    name: str


class Item(msgspec.Struct):
    price: float


Positive = Annotated[int, msgspec.Meta(gt=0)]


def nothing() -> None: ...
def attempt_only(attempt: Attempt) -> None: ...
def maybe_attempt(attempt: Attempt | None) -> None: ...
def both(order: Order, attempt: Attempt) -> None: ...
def both_turned(attempt: "Attempt", order: "Order") -> None: ...
def raw(data: bytes) -> None: ...
def text(data: str) -> None: ...
def payload(data: Payload) -> None: ...
def maybe_text(data: str | None) -> None: ...
def anything(data: Any) -> None: ...
def bare(data) -> None: ...
def defaulted(data: int = 7) -> None: ...
def positive(data: Positive) -> None: ...
def numbers(data: set[object]) -> None: ...
def person(data: Person) -> None: ...
def items(data: list[Item]) -> None: ...
def maybe_order(data: Order | None) -> None: ...
def variadic(data: str, *args: Any, **kwargs: Any) -> None: ...


def _payload(data: bytes | None) -> Payload | None:
    return None if data is None else Payload(data)


@pytest.fixture
def attempt() -> Attempt:
    return Attempt(task_id="t", type="x")


@pytest.mark.parametrize(
    ("function", "data", "expected"),
    [
        (nothing, b"ignored", {}),
        (raw, b"\xff", b"\xff"),
        (raw, None, b""),
        (text, "ü".encode(), "ü"),
        (text, None, ""),
        (payload, b"x", Payload(b"x")),
        (payload, None, Payload()),
        (maybe_text, b"x", "x"),
        (maybe_text, None, None),
        (anything, b'{"a": 1}', {"a": 1}),
        (anything, None, None),
        (bare, b"[1]", [1]),
        (defaulted, b"3", 3),
        (defaulted, None, 7),
        (positive, b"3", 3),
        (person, b'{"name": "Ada"}', {"name": "Ada"}),
        (items, b'[{"price": 1}]', [Item(1.0)]),
        (maybe_order, None, None),
        (maybe_order, b'{"number": 1}', Order(1)),
        (variadic, b"x", "x"),
    ],
)
def test_input_is_converted(function, data, expected) -> None:
    arguments = bind_parameters(function).arguments(_payload(data), None)

    assert arguments == ({} if function is nothing else {"data": expected})


@pytest.mark.parametrize("function", [attempt_only, maybe_attempt])
def test_attempt_is_given(function, attempt) -> None:
    assert bind_parameters(function).arguments(Payload(b"not json"), attempt) == {"attempt": attempt}


@pytest.mark.parametrize("function", [both, both_turned])
def test_attempt_and_input_in_any_order(function, attempt) -> None:
    arguments = bind_parameters(function).arguments(Payload(b'{"number": 1}'), attempt)

    assert arguments == {"attempt": attempt, "order": Order(1)}


@pytest.mark.parametrize(
    ("function", "data"),
    [
        (both, b"nonsense"),
        (both, b'{"number": "one"}'),
        (both, None),
        (both, b""),
        (text, b"\xff"),
        (positive, b"0"),
        (positive, None),
        (items, b"{}"),
        (person, b"{}"),
        (anything, b"\xff"),
        (numbers, b"[[1]]"),
        (anything, b"[" * 100_000),
    ],
)
def test_input_that_does_not_fit_fails_for_good(function, data) -> None:
    with pytest.raises(TaskFailure) as caught:
        bind_parameters(function).arguments(_payload(data), None)

    assert caught.value.reason == "INVALID_INPUT"
    assert not caught.value.retryable


def two_attempts(one: Attempt, other: Attempt) -> None: ...
def two_inputs(one: str, other: str) -> None: ...
def positional_only(one: str, /) -> None: ...
def unknown(one: "Missing") -> None: ...  # noqa: F821


@pytest.mark.parametrize("function", [two_attempts, two_inputs, positional_only, unknown])
def test_parameters_that_cannot_be_filled_are_refused(function) -> None:
    with pytest.raises((TypeError, NameError)):
        bind_parameters(function)

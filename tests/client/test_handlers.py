"""Handlers are values, found in modules, and wrong ones are refused when a processor starts."""

import sys
from types import ModuleType

import pytest

import taskwire
from taskwire.handlers import TYPE_CHARS_MAX, Handler, HandlersError, Mode, collect
from taskwire_gateway import field_checks
from taskwire_shared.domain import limits


@pytest.fixture
def module(monkeypatch):
    """Make a module that can be imported, with these members."""

    def make(name: str, **members) -> str:
        made = ModuleType(name)
        vars(made).update(members)
        monkeypatch.setitem(sys.modules, name, made)
        return name

    return make


@taskwire.handler("greet")
async def greet(name: str) -> str:
    return f"Hello, {name}"


@taskwire.handler("count")
def count(text: str) -> int:
    return len(text)


@taskwire.handler("both")
def both(text: str, attempt: taskwire.Attempt) -> tuple[str, taskwire.Attempt]:
    return text, attempt


@taskwire.handler("crunch", process=True)
def crunch() -> None: ...


@taskwire.handler("crunch-async", process=True)
async def crunch_async() -> None: ...


def test_mode_follows_from_the_function() -> None:
    assert (greet.mode, count.mode, crunch.mode, crunch_async.mode) == (
        Mode.COROUTINE,
        Mode.THREAD,
        Mode.PROCESS,
        Mode.PROCESS,
    )
    assert (greet.is_coroutine, crunch.is_coroutine, crunch_async.is_coroutine) == (True, False, True)


async def test_handler_can_be_called_like_its_function() -> None:
    assert count("four") == 4
    assert await greet("Ada") == "Hello, Ada"
    assert greet.__name__ == "greet"
    assert "greet" in repr(greet)


def test_executing_fills_the_parameters() -> None:
    attempt = taskwire.Attempt(task_id="t", type="both")

    assert count.execute(taskwire.Payload(b"four"), None) == 4
    assert both.execute(taskwire.Payload(b"four"), attempt) == ("four", attempt)
    assert (count.takes_attempt, both.takes_attempt) == (False, True)


def test_handlers_are_collected_from_modules(module) -> None:
    first = module("first", greet=greet, alias=greet, other=42)
    second = module("second", count=count, imported=greet)

    assert collect([first, second]) == {"greet": greet, "count": count}


def test_module_without_handlers_is_refused(module) -> None:
    with pytest.raises(HandlersError, match="empty has no handlers"):
        collect([module("empty")])


def test_decorator_without_a_type_is_refused() -> None:
    with pytest.raises(HandlersError, match=r'name the type: @taskwire.handler\("…"\)'):

        @taskwire.handler
        def forgotten() -> None: ...


def test_two_handlers_of_one_type_are_refused(module) -> None:
    rival = Handler(lambda: None, type="greet")

    with pytest.raises(HandlersError, match="both handlers of 'greet'"):
        collect([module("first", greet=greet), module("second", rival=rival)])


def test_parameters_are_checked_when_collected(module) -> None:
    def wrong(one: str, two: str) -> None: ...

    with pytest.raises(HandlersError, match="wrong: more than one parameter"):
        collect([module("wrongs", wrong=Handler(wrong, type="wrong"))])


def test_annotation_may_come_after_the_handler(module) -> None:
    source = (
        "import dataclasses, taskwire\n"
        "@taskwire.handler('late')\n"
        "def late(data: 'Late') -> int: return data.x\n"
        "@dataclasses.dataclass\n"
        "class Late: x: int\n"
    )
    name = module("late_module")
    exec(source, vars(sys.modules[name]))

    assert collect([name])["late"].execute(taskwire.Payload(b'{"x": 3}'), None) == 3


@pytest.mark.parametrize("name", ["", "x" * (TYPE_CHARS_MAX + 1), "a\0b", "a\tb", "a\x9fb"])
def test_type_that_no_task_can_have_is_refused(name) -> None:
    with pytest.raises(HandlersError, match="the type of a handler"):
        taskwire.handler(name)(lambda: None)


def test_generators_are_refused() -> None:
    def numbers():
        yield 1

    async def letters():
        yield "a"

    for function in (numbers, letters):
        with pytest.raises(HandlersError, match="yields"):
            taskwire.handler("x")(function)


def test_limit_is_that_of_the_service() -> None:
    assert TYPE_CHARS_MAX == limits.TYPE_CHARS_MAX


@pytest.mark.parametrize("character", [chr(code) for code in range(256)])
def test_a_handler_may_have_the_type_of_every_task(character) -> None:
    try:
        taskwire.handler(character)(lambda: None)
    except HandlersError:
        assert not field_checks.is_type(character)
    else:
        assert field_checks.is_type(character)

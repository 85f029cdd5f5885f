"""Functions that execute tasks, and how they are found.

    @taskwire.handler("greet")
    async def greet(name: str, attempt: taskwire.Attempt) -> str: ...

Nothing is registered anywhere: a handler is a value, and `collect` looks for such values in modules.
"""

import functools
import importlib
import inspect
import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Generic, ParamSpec, TypeVar

from taskwire.attempt import Attempt
from taskwire.binding import Binding, bind_parameters
from taskwire.payload import Payload

P = ParamSpec("P")
R = TypeVar("R")

TYPE_CHARS_MAX = 128
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class HandlersError(Exception):
    """The handlers cannot be used. The message says which and why."""


class Mode(StrEnum):
    """Where a handler runs."""

    COROUTINE = "coroutine"
    """On the event loop of a runner, beside others."""
    THREAD = "thread"
    """In a thread of a runner."""
    PROCESS = "process"
    """In a process that runs nothing else meanwhile, and that can be ended at any time."""


class Handler(Generic[P, R]):
    """A function that executes the tasks of one type. Calling it calls the function."""

    def __init__(self, function: Callable[P, R], *, type: str, process: bool = False) -> None:
        if not 1 <= len(type) <= TYPE_CHARS_MAX or _CONTROL.search(type):
            raise HandlersError(
                f"the type of a handler has 1 to {TYPE_CHARS_MAX} characters, none of them for control: not {type!r}"
            )
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise HandlersError(f"{function.__qualname__} yields: a handler returns its result")
        self.type = type
        self.function = function
        self.is_coroutine = inspect.iscoroutinefunction(function)
        self.mode = Mode.PROCESS if process else Mode.COROUTINE if self.is_coroutine else Mode.THREAD
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, as a test may."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<handler {self.type!r} ({self.mode}) {self.name}>"

    @property
    def name(self) -> str:
        """Where the function is, for people."""
        return f"{self.function.__module__}.{self.function.__qualname__}"

    @functools.cached_property
    def _binding(self) -> Binding:
        # Not in __init__: annotations may name classes that the module defines further down.
        try:
            return bind_parameters(self.function)
        except (TypeError, NameError) as error:
            raise HandlersError(f"{self.name}: {error}") from error

    def check(self) -> None:
        """Raise `HandlersError` when the parameters of the function cannot be filled."""
        _ = self._binding

    @functools.cached_property
    def takes_attempt(self) -> bool:
        """Whether a parameter of the function is the attempt."""
        return self._binding.attempt_name is not None

    def execute(self, input: Payload | None, attempt: Attempt | None) -> R:
        """Call the function with its decoded input and the attempt, and return what it returns, maybe a coroutine.

        The attempt may be None where the function does not take it. Raises a `TaskFailure` that is not retried,
        `INVALID_INPUT`, when the input does not fit the annotation.
        """
        function: Callable[..., R] = self.function
        return function(**self._binding.arguments(input, attempt))


def handler(type: str, *, process: bool = False) -> Callable[[Callable[P, R]], Handler[P, R]]:
    """Make a function the handler of tasks of `type`.

    A coroutine function runs on the loop of a runner, another one in a thread, and with `process` either runs in a
    process to itself: for work that computes for long, and for code that does not stop when it is told to.

    The parameter annotated `Attempt` gets the attempt. At most one other parameter gets the input: as it is where it
    is annotated `bytes`, `str` or `Payload`, else converted from JSON to its annotation by msgspec. What is returned
    becomes the output: None, str, bytes, `Payload`, or anything that msgspec writes as JSON. To fail, raise.
    """
    if callable(type):
        # Without its parentheses: what is returned would take the place of the function, and be no handler.
        raise HandlersError('name the type: @taskwire.handler("…")')

    def decorate(function: Callable[P, R]) -> Handler[P, R]:
        return Handler(function, type=type, process=process)

    return decorate


def collect(modules: Iterable[str]) -> dict[str, Handler[..., Any]]:
    """Import `modules` and return their handlers by type.

    Raises `HandlersError` when a module has none, two handlers have the same type, or parameters cannot be filled.
    What a module raises while it is imported is let out.
    """
    found: dict[str, Handler[..., Any]] = {}
    for name in modules:
        for one in _handlers_of(name):
            other = found.setdefault(one.type, one)
            if other is not one:
                raise HandlersError(f"{one.name} and {other.name} are both handlers of {one.type!r}")
            one.check()
    return found


def _handlers_of(module: str) -> list[Handler[..., Any]]:
    members = vars(importlib.import_module(module)).values()
    handlers = [member for member in members if isinstance(member, Handler)]
    if not handlers:
        raise HandlersError(f"the module {module} has no handlers: decorate a function with @taskwire.handler")
    return handlers

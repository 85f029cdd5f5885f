"""How the parameters of a handler are filled: with its attempt and what its input says."""

import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

import msgspec

from taskwire.attempt import Attempt
from taskwire.failure import TaskFailure
from taskwire.payload import Payload

INVALID_INPUT = "INVALID_INPUT"
"""The reason of the failure when the input of a task does not fit its handler."""

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_AS_IT_IS = (Payload, bytes, str)
_Decode = Callable[[Payload], Any]


class Binding(msgspec.Struct, frozen=True):
    """Which parameter gets what. A name that is None stands for no parameter."""

    attempt_name: str | None
    input_name: str | None
    decode: _Decode
    without_input: Callable[[], Any]
    """Gives the argument for a task without input."""

    def arguments(self, input: Payload | None, attempt: Attempt | None) -> dict[str, Any]:
        """Return the arguments by name. Raises a `TaskFailure`, not retried, when the input does not fit."""
        arguments: dict[str, Any] = {}
        if self.attempt_name is not None:
            arguments[self.attempt_name] = attempt
        if self.input_name is not None:
            arguments[self.input_name] = self._input(input)
        return arguments

    def _input(self, payload: Payload | None) -> Any:
        try:
            return self.without_input() if payload is None else self.decode(payload)
        # msgspec.ValidationError and UnicodeDecodeError are ValueErrors too; TypeError: what is not hashable, in a set.
        except (TypeError, ValueError, RecursionError) as error:
            raise TaskFailure(INVALID_INPUT, f"the input does not fit the handler: {error}", retryable=False) from error


def bind_parameters(function: Callable[..., Any]) -> Binding:
    """Read the signature of `function`. Raises TypeError or NameError when its parameters cannot be filled."""
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = [p for p in inspect.signature(function).parameters.values() if p.kind not in _VARIADIC]
    attempts = [p.name for p in parameters if _core(hints.get(p.name)) is Attempt]
    inputs = [p for p in parameters if p.name not in attempts]
    if len(attempts) > 1:
        raise TypeError(f"more than one parameter is annotated Attempt: {', '.join(attempts)}")
    if len(inputs) > 1:
        raise TypeError(f"more than one parameter for the input: {', '.join(p.name for p in inputs)}")
    if any(p.kind is inspect.Parameter.POSITIONAL_ONLY for p in parameters):
        raise TypeError("parameters are passed by name and cannot be positional-only")
    annotation = hints.get(inputs[0].name, Any) if inputs else Any
    return Binding(
        attempt_name=attempts[0] if attempts else None,
        input_name=inputs[0].name if inputs else None,
        decode=_decoder(annotation),
        without_input=_default(inputs[0] if inputs else None, annotation),
    )


def _core(annotation: Any) -> Any:
    """Return `T` of `T | None`, and any other annotation as it is."""
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        members = [member for member in typing.get_args(annotation) if member is not types.NoneType]
        if len(members) == 1:
            return members[0]
    return annotation


def _decoder(annotation: Any) -> _Decode:
    core = _core(annotation)
    if core is Payload:
        return lambda payload: payload
    if core is bytes:
        return lambda payload: payload.data
    if core is str:
        return lambda payload: payload.text
    decoder = msgspec.json.Decoder(annotation)
    return lambda payload: decoder.decode(payload.data)


def _default(parameter: inspect.Parameter | None, annotation: Any) -> Callable[[], Any]:
    if parameter is not None and parameter.default is not inspect.Parameter.empty:
        default = parameter.default
        return lambda: default
    core = _core(annotation)
    if not any(core is kind for kind in _AS_IT_IS):
        return lambda: msgspec.convert(None, annotation)
    return core if core is annotation else lambda: None

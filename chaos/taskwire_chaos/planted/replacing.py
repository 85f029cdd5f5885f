"""How everything is planted: one named function or constant of the product gives way to another."""

from collections.abc import Callable
from typing import Any


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put `make(what was there)` in the place of `owner.name`. Raises AttributeError where there is no such thing."""
    setattr(owner, name, make(getattr(owner, name)))


def replace_text(owner: Any, name: str, was: str, becomes: str) -> None:
    """Change a statement. Raises ValueError where the words are not in it: the product has moved on."""
    text: str = getattr(owner, name)
    if was not in text:
        raise ValueError(f"{name} does not contain {was!r}")
    setattr(owner, name, text.replace(was, becomes))

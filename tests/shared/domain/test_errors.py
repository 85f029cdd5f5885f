"""The errors of the domain: the docstring is the message, the tree in the module is the tree."""

import re
from collections.abc import Iterator

from taskwire_shared.domain import errors
from taskwire_shared.domain.errors import TaskNotFound, TaskwireError


def _below(error: type[TaskwireError]) -> Iterator[type[TaskwireError]]:
    for child in error.__subclasses__():
        yield child
        yield from _below(child)


def test_docstring_is_the_message() -> None:
    error = TaskNotFound("some-id")

    assert str(error) == TaskNotFound.__doc__ == "There is no such task."
    assert error.task_id == "some-id"


def test_drawn_tree_has_every_error_that_a_caller_can_get() -> None:
    drawn = set(re.findall(r"^  (\w+)$", errors.__doc__ or "", re.MULTILINE))
    leaves = {error.__name__ for error in _below(TaskwireError) if not error.__subclasses__()}

    assert drawn == leaves


def test_every_message_is_a_sentence() -> None:
    assert all((error.__doc__ or "").endswith(".") for error in _below(TaskwireError))

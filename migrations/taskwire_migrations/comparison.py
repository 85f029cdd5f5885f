"""Comparing the tables of a database with those that the code knows."""

import re
from collections.abc import MutableMapping
from typing import Any

_DAY = re.compile(r"(tasks|task_events)_\d{8}")


def is_ours(name: str | None, kind: str, _parents: MutableMapping[Any, Any]) -> bool:
    """Tell Alembic what to compare: everything but the days, which come and go by themselves."""
    return not (kind == "table" and name is not None and _DAY.fullmatch(name))

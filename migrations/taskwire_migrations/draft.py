"""Writing the next step: `make migration NAME="Give a queue a colour"`."""

import re
from pathlib import Path
from typing import Any

from alembic import command
from alembic.script import Script
from sqlalchemy import Connection

from taskwire_migrations import migrate

STEPS = Path(__file__).parent / "versions"
_NUMBER_DIGITS = 4


async def draft(database_url: str, title: str, folder: Path = STEPS) -> Path | None:
    """Write the step that leads from the database to the tables that the code knows, and return its file.

    Returns None, and writes nothing, where the two are the same. What is written is a draft: Alembic sees tables,
    columns, indexes and keys, but neither checks nor what only SQL can say.
    """
    return await migrate.locked(database_url, lambda connection: _write(connection, title, folder))


def _write(connection: Connection, title: str, folder: Path) -> Path | None:
    config = migrate.alembic_config(connection)
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    if folder != STEPS:
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", f"{STEPS}\n{folder}")
    script = command.revision(
        config,
        message=title,
        autogenerate=True,
        rev_id=_next_number(),
        version_path=str(folder),
        process_revision_directives=_drop_empty,
    )
    return Path(script.path) if isinstance(script, Script) else None


def _drop_empty(_context: Any, _revision: Any, directives: list[Any]) -> None:
    if directives[0].upgrade_ops.is_empty():
        directives.clear()


def _next_number() -> str:
    numbers = [int(found[0]) for path in STEPS.glob("*.py") if (found := re.match(r"\d+", path.name))]
    return str(max(numbers, default=0) + 1).zfill(_NUMBER_DIGITS)

"""`taskwire migrate`."""

import argparse
import asyncio
import os
import sys

from taskwire_migrations import migrate
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.settings import Settings, SettingsError, hide_secrets


def main(argv: list[str]) -> int:
    """Bring the database of `TASKWIRE_DATABASE_URL` up or down, or tell where it is. Return the exit code."""
    parser = argparse.ArgumentParser(prog="taskwire migrate", description=__doc__)
    parser.add_argument("action", nargs="?", default="up", choices=["up", "down", "status"])
    arguments = parser.parse_args(argv)
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        return asyncio.run(_ACTIONS[arguments.action](settings.database_url))
    except BackendUnavailable as error:
        print(f"{hide_secrets(settings.database_url)} does not answer: {error.__cause__}", file=sys.stderr)
        return 1


async def _up(database_url: str) -> int:
    await migrate.upgrade(database_url)
    return await _status(database_url)


async def _down(database_url: str) -> int:
    await migrate.downgrade(database_url)
    return 0


async def _status(database_url: str) -> int:
    status = await migrate.status(database_url)
    print(f"database at {status.current or 'nothing'}, this release needs {status.newest}")
    return 0 if status.is_current else 1


_ACTIONS = {"up": _up, "down": _down, "status": _status}

"""`taskwire migrate`."""

import argparse
import asyncio
import sys

from taskwire_migrations import migrate
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.settings import Settings, SettingsError, hide_secrets

_REFUSED = 2


def main(argv: list[str]) -> int:
    """Bring the database of `TASKWIRE_DATABASE_URL` up or down, or tell where it is. Return the exit code."""
    arguments = _parser().parse_args(argv)
    if arguments.action == "down" and not arguments.yes:
        print("taskwire migrate down removes everything, all tasks included. With --yes it does.", file=sys.stderr)
        return _REFUSED
    try:
        settings = Settings.load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return _REFUSED
    try:
        return asyncio.run(_ACTIONS[arguments.action](settings.database_url))
    except BackendUnavailable as error:
        print(f"{hide_secrets(settings.database_url)} does not answer: {error.__cause__}", file=sys.stderr)
        return 1
    except migrate.MigrationFailed as error:
        print(f"{hide_secrets(settings.database_url)}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="taskwire migrate",
        description="Prepare the database of TASKWIRE_DATABASE_URL for this release, or tell where it is.",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument(
        "action",
        nargs="?",
        default="up",
        choices=list(_ACTIONS),
        help="up      bring it to this release (the default)\n"
        "down    remove EVERYTHING, all tasks included\n"
        "status  tell where it is; the exit code is 0 where this release can use it",
    )
    parser.add_argument("--yes", action="store_true", help="do remove everything")
    return parser


async def _up(database_url: str) -> int:
    await migrate.upgrade(database_url)
    return await _status(database_url)


async def _down(database_url: str) -> int:
    await migrate.downgrade(database_url)
    return 0


async def _status(database_url: str) -> int:
    status = await migrate.status(database_url)
    later = " (a later release has brought it there)" if status.is_later else ""
    print(f"database at {status.current or 'nothing'}{later}, this release needs {status.newest}")
    return 0 if status.is_current else 1


_ACTIONS = {"up": _up, "down": _down, "status": _status}

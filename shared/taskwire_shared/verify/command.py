"""`taskwire verify`."""

import argparse
import os
import sys

from taskwire_shared import lifecycle
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.settings import Settings, SettingsError, hide_secrets
from taskwire_shared.store.audit_connection import NotTaskwire
from taskwire_shared.telemetry import logs
from taskwire_shared.verify.report import EXIT_UNKNOWN
from taskwire_shared.verify.verification import SECONDS_MAX, Extent, verify

_WRONG_SETTINGS = 2
_EXIT_CODES = """
exit codes: 0 nothing is broken (there may be warnings); 1 it could not be found out, or not within the time;
2 the line or the settings were not understood; 3 something is broken
"""


def main(argv: list[str]) -> int:
    """Check that every promise holds in the database and the broker, reading only. Return the exit code."""
    parser = argparse.ArgumentParser(prog="taskwire verify", description=main.__doc__, epilog=_EXIT_CODES)
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of a page")
    parser.add_argument("--days", type=_count, help="look only at tasks created within so many days, today included")
    parser.add_argument(
        "--seconds", type=_count, default=int(SECONDS_MAX), help="stop after so many seconds (default %(default)s)"
    )
    arguments = parser.parse_args(argv)
    try:
        settings = Settings.load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return _WRONG_SETTINGS
    logs.configure("error")
    extent = Extent(days=arguments.days, seconds_max=arguments.seconds)
    return lifecycle.run(_run(settings, extent, as_json=arguments.json))


async def _run(settings: Settings, extent: Extent, *, as_json: bool) -> int:
    try:
        report = await verify(settings, extent)
    except BackendUnavailable as error:
        where = hide_secrets(settings.database_url)
        print(f"taskwire verify: {where} does not answer ({type(error.__cause__).__name__})", file=sys.stderr)
        return EXIT_UNKNOWN
    except NotTaskwire:
        print("taskwire verify: the database is not of this release, see taskwire migrate status", file=sys.stderr)
        return EXIT_UNKNOWN
    _say(report.as_json() if as_json else report.as_page())
    return report.exit_code


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError as error:
        # The verdict stays. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # Whoever has closed a pipe has seen enough.
        if not isinstance(error, BrokenPipeError):
            print(f"taskwire verify: {error}", file=sys.stderr)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number of at least 1")
    return int(text)

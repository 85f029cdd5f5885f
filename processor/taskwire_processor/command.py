"""`taskwire processor`."""

import argparse
import sys
from uuid import UUID

from taskwire_migrations.migrate import MigrationFailed
from taskwire_migrations.schema import NotMigrated
from taskwire_processor.app import Deaf, serve
from taskwire_processor.runner_process import RunnerFailed
from taskwire_shared import lifecycle
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.settings import Settings, SettingsError
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

_WRONG_SETTINGS = 2

log = logs.get(__name__)


def main(argv: list[str]) -> int:
    """Run a processor until SIGINT or SIGTERM, and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="taskwire processor",
        description="Run tasks. Settings are environment variables, see docs/configuration.md.",
    )
    parser.parse_args(argv)
    try:
        settings = Settings.load()
        logs.configure(settings.log_level, settings.log_file)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return _WRONG_SETTINGS
    return lifecycle.run(_run(settings))


async def _run(settings: Settings) -> int:
    log.info(Event.PROCESS_STARTING, role="processor", settings=settings.shown())
    said_ready = False

    def say_ready(processor: UUID, metrics: str) -> None:
        nonlocal said_ready
        if not said_ready:
            lifecycle.spare_the_collector(lifecycle.SERVICE_OBJECTS_MAX)
            print(f"taskwire processor ready id={processor} metrics={metrics}", flush=True)
            said_ready = True
        log.info(Event.PROCESS_READY, role="processor", processor=str(processor))

    exit_code = 0
    with lifecycle.stop_event_on_signals() as stop:
        try:
            await serve(settings, stop=stop, ready=say_ready)
        except* (BackendUnavailable, MigrationFailed, NotMigrated, RunnerFailed, Deaf, SettingsError) as group:
            for error in group.exceptions:
                log.error(Event.PROCESS_FAILED, role="processor", error=lifecycle.told(error))
            exit_code = 1
    log.info(Event.PROCESS_STOPPED, role="processor")
    return exit_code

"""`taskwire gateway`."""

import argparse
import sys

from taskwire_gateway.app import serve
from taskwire_gateway.server import ListenError
from taskwire_migrations.migrate import MigrationFailed
from taskwire_migrations.schema import NotMigrated
from taskwire_shared import lifecycle
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.settings import Settings, SettingsError
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

_FAILED = 1
_WRONG_SETTINGS = 2

_log = logs.get(__name__)


def main(argv: list[str]) -> int:
    """Run a gateway until SIGINT or SIGTERM, and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="taskwire gateway",
        description="Serve the API over gRPC. Settings are environment variables, see docs/configuration.md.",
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
    _log.info(Event.PROCESS_STARTING, role="gateway", settings=settings.shown())
    exit_code = 0
    with lifecycle.stop_event_on_signals() as stop:
        try:
            await serve(settings, stop=stop, ready=_say_ready)
        except* (BackendUnavailable, ListenError, MigrationFailed, NotMigrated, SettingsError) as group:
            for error in group.exceptions:
                _log.error(Event.PROCESS_FAILED, role="gateway", error=lifecycle.told(error))
            exit_code = _FAILED
    _log.info(Event.PROCESS_STOPPED, role="gateway")
    return exit_code


def _say_ready(address: str, metrics: str) -> None:
    lifecycle.spare_the_collector(lifecycle.SERVICE_OBJECTS_MAX)
    print(f"taskwire gateway ready grpc={address} metrics={metrics}", flush=True)
    _log.info(Event.PROCESS_READY, role="gateway", grpc=address, metrics=metrics)

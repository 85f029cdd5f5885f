"""The log: one event a line, JSON for machines or columns for people.

    log = logs.get(__name__)
    log.info(Event.RUNNER_STARTED, pid=4711)

What libraries log through the standard library comes out in the same form, as `library.logged`.
"""

import json
import logging
import sys
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from taskwire_shared.settings import Problem, SettingsError
from taskwire_shared.telemetry.events import Event

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_encode = msgspec.json.Encoder(enc_hook=str).encode


def get(name: str) -> FilteringBoundLogger:
    """Return the logger of the module `name`. Made at import, it follows a later `configure`."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def configure(level: str = "info", file: str = "") -> None:
    """Send all logging of this process to `file`, or to standard error when it is empty.

    A file is appended to and opened anew after it was moved away. To be called once, before the first line is logged:
    a logger keeps the level that it has first been used with. Raises `SettingsError` when the file cannot be written.
    """
    handler = _handler(file)
    people_read = not file and sys.stderr.isatty()
    handler.setFormatter(_formatter(people_read=people_read))
    root = logging.getLogger()
    for other in root.handlers[:]:
        root.removeHandler(other)
        other.close()
    root.addHandler(handler)
    root.setLevel(_LEVELS[level])
    # At debug, asyncio names the selector of each loop and how long each callback took; nobody has asked for that.
    logging.getLogger("asyncio").setLevel(max(_LEVELS[level], logging.INFO))
    structlog.configure(
        processors=[*_shared_processors(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        # A line below the level costs a call of an empty method, not the building of a logger.
        cache_logger_on_first_use=True,
    )


def _handler(file: str) -> logging.Handler:
    if file:
        # Imported late: importing logging.handlers brings the socket and pickle machinery with it.
        from logging.handlers import WatchedFileHandler

        try:
            return WatchedFileHandler(file, encoding="utf-8")
        except OSError as error:
            problem = Problem(variable="TASKWIRE_LOG_FILE", text=f"cannot write to {file!r}: {error.strerror}")
            raise SettingsError([problem]) from error
    handler: logging.StreamHandler[TextIO] = logging.StreamHandler(sys.stderr)
    return handler


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter(*, people_read: bool) -> logging.Formatter:
    endings: list[Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if people_read
        else [structlog.processors.format_exc_info, _as_json]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_shared_processors(), _name_foreign],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *endings],
    )


def _name_foreign(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    line["message"] = line["event"]
    line["event"] = Event.LIBRARY_LOGGED
    return line


def _as_json(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    leading: dict[str, Any] = {name: line.pop(name, None) for name in ("timestamp", "level", "event")}
    whole = {**leading, **line}
    try:
        return _encode(whole).decode()
    except UnicodeEncodeError:
        # Lone surrogates, as Python puts them into the names of files that are no UTF-8.
        return json.dumps(whole, ensure_ascii=False, default=str).encode("utf-8", "replace").decode()

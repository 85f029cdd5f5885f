"""What an operator can set: environment variables with the prefix `TASKWIRE_`, the same for every role.

This is the only module of the services that reads the environment. A variable is the name of a field in capitals
behind the prefix; an empty one counts as not set. `docs/configuration.md` is compared with this class by a test.
"""

import difflib
import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from taskwire_shared.domain import defaults
from taskwire_shared.domain.queue import QUEUE_NAME

PREFIX = "TASKWIRE_"

_MADE_BY_KUBERNETES = re.compile(r"TASKWIRE_(\w+_)?(SERVICE_\w+|PORT\w*)")
"""Kubernetes describes every service of the namespace in the environment of each container. A service called
`taskwire` or `taskwire-...` gives names that begin like ours (kubernetes.io, "Accessing the Service")."""

_SECRETS = (
    # nats://token@host is as good as nats://user:password@host.
    re.compile(r"((?:nats|tls)://)[^\s,]*(@)"),
    # A password may have commas and spaces in it.
    re.compile(r"(://[^:/?#@\s]*:).*(@)"),
    # `sslpassword` opens the key of a client's certificate.
    re.compile(r"([?&](?:(?:ssl)?password|token)=)[^&\s]+()", re.IGNORECASE),
    # Who writes the name of a parameter in another way has something to hide, or may have.
    re.compile(r"([?&][^=&\s]*%[^=&\s]*=)[^&\s]+()"),
)

_MODULE_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_VALUE_CHARS_SHOWN = 80
"""A wrong value is quoted in the message, but not a whole file that was put there by mistake."""


class Problem(BaseModel):
    """What is wrong with one variable."""

    model_config = ConfigDict(frozen=True)

    variable: str
    text: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.text}"


class SettingsError(Exception):
    """The settings cannot be used. The message lists every problem, without secrets."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        title = "1 setting is not valid:" if count == 1 else f"{count} settings are not valid:"
        super().__init__("\n  ".join([title, *map(str, self.problems)]))


def split_address(address: str) -> tuple[str, int]:
    """Split `host:port` or `[v6]:port`. Raises ValueError for anything else."""
    parts = urlsplit(f"//{address}")
    if parts.hostname is None or parts.port is None or parts.netloc != address or "@" in address:
        raise ValueError(address)
    return parts.hostname, parts.port


def is_loopback(address: str) -> bool:
    """Tell whether `host:port` can be reached from this machine only."""
    host, _ = split_address(address)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def hide_secrets(text: str) -> str:
    """Replace passwords and tokens in URLs by `***`."""
    for secret in _SECRETS:
        text = secret.sub(r"\1***\2", text)
    return text


def _check_address(value: str) -> str:
    if value:
        split_address(value)
    return value


def _check_scheme(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes or parts.port == 0:
            raise ValueError(value)
        return value

    return AfterValidator(check)


def _matches(pattern: re.Pattern[str]) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(value)
        return value

    return AfterValidator(check)


def _split_list(value: object) -> object:
    if isinstance(value, str):
        return tuple(part for part in (piece.strip() for piece in value.split(",")) if part)
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _described(allowed: str, **constraints: Any) -> Any:
    return Field(json_schema_extra={"allowed": allowed}, **constraints)


def _seconds(low: float, high: float) -> Any:
    return _described(f"a number of seconds from {low:g} to {high:g}", ge=low, le=high, allow_inf_nan=False)


def _count(low: int, high: int) -> Any:
    return _described(f"a whole number from {low} to {high}", ge=low, le=high)


_COMMA_LIST = BeforeValidator(_split_list)
_SEPARATED = "separated by commas"
_POSTGRES = _check_scheme("postgresql", "postgres")
_NATS = _check_scheme("nats", "tls")
_ADDRESS = _described("host:port, for example 127.0.0.1:50051 or [::1]:50051")

LogLevel = Literal["debug", "info", "warning", "error"]


class Settings(BaseModel):
    """The settings of one process. Wrong values raise pydantic's error, contradictions a `SettingsError`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True, validate_default=True
    )

    listen: Annotated[str, AfterValidator(_check_address), _ADDRESS] = "127.0.0.1:50051"
    """Where the gateway serves gRPC. Port 0 takes a free one. An address that other machines can reach needs TLS or
    `ALLOW_INSECURE`."""

    metrics_listen: Annotated[str, AfterValidator(_check_address), _ADDRESS] = ""
    """Where a gateway or a processor serves `/metrics` and `/healthz` over HTTP. Empty serves neither."""

    address: Annotated[str, _described("a gRPC target, for example 127.0.0.1:50051 or dns:///taskwire:50051")] = (
        "127.0.0.1:50051"
    )
    """The gateway that the client commands (`taskwire create`, `taskwire watch` ...) talk to. Servers ignore it."""

    database_url: Annotated[str, _POSTGRES, _described("a URL that starts with postgresql://", repr=False)] = (
        "postgresql://postgres@127.0.0.1:5432/taskwire"
    )
    """The Postgres database, version 15 or newer. It must be the primary."""

    database_pool_size: Annotated[int, _count(1, 500)] = 10
    """The most connections that one process opens to Postgres."""

    nats_url: Annotated[
        tuple[Annotated[str, _NATS], ...],
        _COMMA_LIST,
        _described(f"URLs that start with nats:// or tls://, {_SEPARATED}", min_length=1, repr=False),
    ] = ("nats://127.0.0.1:4222",)
    """The servers of one NATS cluster with JetStream, version 2.12 or newer."""

    nats_prefix: Annotated[str, _matches(QUEUE_NAME), _described("1 to 63 characters of a-z, 0-9, - and _")] = (
        "taskwire"
    )
    """What the subjects and streams on NATS begin with, so that several installations can share a cluster."""

    nats_replicas: Annotated[int, _count(1, 5)] = 1
    """On how many servers of the NATS cluster rings are kept. With 3, tasks still start at once while one of three
    servers is away; with 1, they may start some seconds later until it is back. Nothing is lost either way."""

    data_dir: Annotated[str, _described("a path", min_length=1)] = ".taskwire"
    """The folder in which `taskwire dev` keeps its Postgres and NATS."""

    handlers: Annotated[
        tuple[Annotated[str, _matches(_MODULE_NAME)], ...],
        _COMMA_LIST,
        _described(f"names of Python modules, {_SEPARATED}", min_length=1),
    ] = ("taskwire_processor.shipped",)
    """The modules that a processor loads handlers from."""

    queues: Annotated[
        tuple[Annotated[str, _matches(QUEUE_NAME)], ...],
        _COMMA_LIST,
        _described(f"names of queues, {_SEPARATED}"),
    ] = ()
    """The queues that a processor serves. Empty serves all."""

    processes: Annotated[int, _count(1, 256)] = 1
    """The runner processes of a processor. Handlers marked `process=True` get further ones."""

    concurrency: Annotated[int, _count(1, 10_000)] = defaults.CONCURRENCY
    """The most tasks that a processor runs at the same time."""

    threads: Annotated[int, _count(1, 1_000)] = 32
    """The threads of each runner process, in which handlers run that are not coroutines."""

    lease_seconds: Annotated[float, _seconds(0.5, 3600)] = defaults.LEASE_SECONDS
    """How long a processor that has stopped answering keeps its tasks before others take them over."""

    cancel_grace_seconds: Annotated[float, _seconds(0, 3600)] = defaults.CANCEL_GRACE_SECONDS
    """How long a handler that was told to stop may go on before its process is ended."""

    grace_seconds: Annotated[float, _seconds(0, 3600)] = defaults.DRAIN_GRACE_SECONDS
    """How long a process that was told to stop (SIGTERM, SIGINT) lets work in hand finish."""

    retention_days: Annotated[int, _count(2, 3650)] = defaults.RETENTION_DAYS
    """How long a finished task is kept with its history, from which a watch of many tasks is resumed. At least 2,
    because an identifier may be 24 hours old when it arrives."""

    watches_max: Annotated[int, _count(1, 1_000_000)] = 20_000
    """The most open watches of one gateway."""

    watch_age_seconds: Annotated[float, _seconds(0.1, 86_400)] = 300.0
    """The age at which a gateway ends a watch, so that watches spread over new gateways. Clients resume by
    themselves."""

    heartbeat_seconds: Annotated[float, _seconds(0.05, 3600)] = 15.0
    """The longest silence of a watch before a heartbeat is sent."""

    migrate: Annotated[bool, _described("true or false")] = False
    """Whether a gateway or a processor brings the database up to date when it starts."""

    reflection: Annotated[bool, _described("true or false")] = True
    """Whether the gateway describes its API to tools such as grpcurl."""

    allow_insecure: Annotated[bool, _described("true or false")] = False
    """Whether the gateway may listen without TLS on an address that other machines can reach."""

    tls_cert_file: Annotated[str, _described("a path")] = ""
    """The certificate chain of the gateway (PEM). Needs `TLS_KEY_FILE`."""

    tls_key_file: Annotated[str, _described("a path")] = ""
    """The private key of the gateway (PEM). Needs `TLS_CERT_FILE`."""

    log_level: Annotated[LogLevel, BeforeValidator(_lower), _described(f"one of {', '.join(get_args(LogLevel))}")] = (
        "info"
    )
    """The least severe lines that are logged."""

    log_file: Annotated[str, _described("a path")] = ""
    """A file to append the log to, as JSON. Empty logs to standard error, readable in a terminal and JSON elsewhere."""

    @classmethod
    def load(cls) -> Self:
        """Read the settings from the environment of this process."""
        return cls.from_environment(os.environ)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from `environ`. Raises `SettingsError` with every problem at once."""
        given = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
        problems = [_unknown(name, cls) for name in sorted(given) if _is_unknown(name, cls)]
        values = {field: given[name] for field, name in variables(cls).items() if given.get(name)}
        settings: Self | None = None
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            problems += _wrong_values(error, values, cls)
        except SettingsError as error:
            problems += error.problems
        if problems or settings is None:
            raise SettingsError(problems) from None
        return settings

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Refuse values that are valid each for itself but not together."""
        problems = list(_contradictions(self))
        if problems:
            raise SettingsError(problems)
        return self

    def shown(self) -> dict[str, str]:
        """Return the effective value of every variable as text, with secrets hidden: fit for a log."""
        return {variable: hide_secrets(_as_text(getattr(self, field))) for field, variable in variables().items()}

    def as_environment(self) -> dict[str, str]:
        """Return the variables that give these settings to a child process. They may hold secrets."""
        return {variable: _as_text(getattr(self, field)) for field, variable in variables().items()}


def variables(settings: type[Settings] = Settings) -> dict[str, str]:
    """Map the name of each field to that of its variable."""
    return {name: PREFIX + name.upper() for name in settings.model_fields}


def allowed(field: FieldInfo) -> str:
    """Say what values `field` takes, as in "must be ..."."""
    extra = field.json_schema_extra
    return str(extra["allowed"]) if isinstance(extra, dict) else "text"


def _as_text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case tuple():
            return ",".join(value)
        case float():
            return repr(value).removesuffix(".0")
        case _:
            return str(value)


def _is_unknown(name: str, settings: type[Settings]) -> bool:
    return name not in variables(settings).values() and not _MADE_BY_KUBERNETES.fullmatch(name)


def _unknown(name: str, settings: type[Settings]) -> Problem:
    nearest = difflib.get_close_matches(name.removeprefix(PREFIX).lower(), settings.model_fields, n=1)
    hint = f"; did you mean {variables(settings)[nearest[0]]}?" if nearest else ""
    return Problem(variable=name, text=f"there is no such setting{hint}")


def _wrong_values(error: ValidationError, values: Mapping[str, str], settings: type[Settings]) -> list[Problem]:
    wrong = {
        name: settings.model_fields[name] for name in dict.fromkeys(str(item["loc"][0]) for item in error.errors())
    }
    return [
        Problem(
            variable=variables(settings)[name], text=f"must be {allowed(field)}, not {_quoted(values[name], field)}"
        )
        for name, field in wrong.items()
    ]


def _quoted(value: str, field: FieldInfo) -> str:
    """Quote `value` for a message, unless it may hold a secret: in a URL that is wrong, nobody can say where."""
    if not field.repr:
        return "the value given (not shown, it may hold a password)"
    return repr(value if len(value) <= _VALUE_CHARS_SHOWN else f"{value[:_VALUE_CHARS_SHOWN]}...")


def _contradictions(settings: Settings) -> Iterable[Problem]:
    if bool(settings.tls_cert_file) != bool(settings.tls_key_file):
        present, absent = ("CERT", "KEY") if settings.tls_cert_file else ("KEY", "CERT")
        yield Problem(variable=f"{PREFIX}TLS_{absent}_FILE", text=f"must be set when {PREFIX}TLS_{present}_FILE is set")
    elif not (settings.tls_cert_file or settings.allow_insecure or is_loopback(settings.listen)):
        yield Problem(
            variable=f"{PREFIX}LISTEN",
            text=f"{settings.listen!r} can be reached by other machines: set {PREFIX}TLS_CERT_FILE and "
            f"{PREFIX}TLS_KEY_FILE, or {PREFIX}ALLOW_INSECURE=true where the network is trusted",
        )
    if settings.heartbeat_seconds > settings.watch_age_seconds:
        yield Problem(
            variable=f"{PREFIX}HEARTBEAT_SECONDS",
            text=f"must not be longer than {PREFIX}WATCH_AGE_SECONDS ({settings.watch_age_seconds:g}), "
            f"not {settings.heartbeat_seconds:g}",
        )

"""Settings are right, or the start stops with every problem in one message and no secret in it."""

import pytest
from pydantic import ValidationError

from taskwire_shared.domain import limits
from taskwire_shared.settings import (
    Settings,
    SettingsError,
    allowed,
    hide_secrets,
    is_loopback,
    split_address,
    variables,
)


def _problems(**environ: str) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({f"TASKWIRE_{name}": value for name, value in environ.items()})
    return {problem.variable.removeprefix("TASKWIRE_"): problem.text for problem in caught.value.problems}


def test_defaults_are_valid() -> None:
    assert Settings.from_environment({"PATH": "/bin"}) == Settings()


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert allowed(field) != "text", name


def test_values_are_read() -> None:
    settings = Settings.from_environment(
        {
            "TASKWIRE_QUEUES": "mail, reports,",
            "TASKWIRE_NATS_URL": "nats://a:4222,tls://b:4222",
            "TASKWIRE_MIGRATE": "true",
            "TASKWIRE_LEASE_SECONDS": "1.5",
            "TASKWIRE_LOG_LEVEL": "WARNING",
            "TASKWIRE_CONCURRENCY": "7",
        }
    )

    assert settings.queues == ("mail", "reports")
    assert settings.nats_url == ("nats://a:4222", "tls://b:4222")
    assert (settings.migrate, settings.lease_seconds, settings.log_level, settings.concurrency) == (
        True,
        1.5,
        "warning",
        7,
    )


def test_empty_is_not_set() -> None:
    assert Settings.from_environment({f"{name}": "" for name in variables().values()}) == Settings()


def test_environment_goes_around() -> None:
    settings = Settings(queues=("a", "b"), lease_seconds=0.7, migrate=True, watch_age_seconds=1234.5678)

    assert Settings.from_environment(settings.as_environment()) == settings


def test_unknown_variable_stops_with_the_nearest_name() -> None:
    problems = _problems(LEASE_SECNDS="3", FROBNICATE="1")

    assert problems["LEASE_SECNDS"] == "there is no such setting; did you mean TASKWIRE_LEASE_SECONDS?"
    assert problems["FROBNICATE"] == "there is no such setting"


@pytest.mark.parametrize(
    "name",
    [
        "GATEWAY_SERVICE_HOST",
        "GATEWAY_SERVICE_PORT_GRPC",
        "GATEWAY_PORT",
        "GATEWAY_PORT_50051_TCP_ADDR",
        "SERVICE_HOST",
        "PORT",
        "PORT_50051_TCP",
    ],
)
def test_variables_made_by_kubernetes_are_ignored(name) -> None:
    assert Settings.from_environment({f"TASKWIRE_{name}": "tcp://10.0.0.1:50051"}) == Settings()


def test_every_problem_is_in_one_message() -> None:
    environ = {"TASKWIRE_CONCURRENCY": "lots", "TASKWIRE_LOG_LEVEL": "loud", "TASKWIRE_TYPO": "x"}
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(environ)

    assert str(caught.value).splitlines() == [
        "3 settings are not valid:",
        "  TASKWIRE_TYPO: there is no such setting",
        "  TASKWIRE_CONCURRENCY: must be a whole number from 1 to 10000, not 'lots'",
        "  TASKWIRE_LOG_LEVEL: must be one of debug, info, warning, error, not 'loud'",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LISTEN", "50051"),
        ("LISTEN", "host:port"),
        ("LISTEN", "127.0.0.1:70000"),
        ("LISTEN", "user@127.0.0.1:1"),
        ("METRICS_LISTEN", "127.0.0.1"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("DATABASE_URL", "not a url"),
        ("DATABASE_POOL_SIZE", "0"),
        ("NATS_URL", "http://localhost:4222"),
        ("NATS_URL", ","),
        ("NATS_PREFIX", "a.b"),
        ("HANDLERS", "my module"),
        ("HANDLERS", "a/b.py"),
        ("QUEUES", "Mail"),
        ("QUEUES", "a b"),
        ("PROCESSES", "0"),
        ("PROCESSES", "1.5"),
        ("CONCURRENCY", "-1"),
        ("LEASE_SECONDS", "nan"),
        ("LEASE_SECONDS", "inf"),
        ("LEASE_SECONDS", "0"),
        ("GRACE_SECONDS", "-1"),
        ("RETENTION_DAYS", "1"),
        ("MIGRATE", "perhaps"),
        ("LOG_LEVEL", "trace"),
    ],
)
def test_wrong_value_is_named_with_what_is_allowed(name, value) -> None:
    (problem,) = _problems(**{name: value}).values()

    assert problem.startswith(f"must be {allowed(Settings.model_fields[name.lower()])}, not ")


@pytest.mark.parametrize("listen", ["0.0.0.0:50051", "[::]:50051", "10.0.0.1:1", "gateway.example:50051"])
def test_public_address_needs_tls_or_a_flag(listen) -> None:
    assert "TASKWIRE_ALLOW_INSECURE=true" in _problems(LISTEN=listen)["LISTEN"]

    assert Settings(listen=listen, allow_insecure=True)
    assert Settings(listen=listen, tls_cert_file="c.pem", tls_key_file="k.pem")


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:50051", "localhost:50051", "127.1.2.3:1"])
def test_loopback_needs_nothing(listen) -> None:
    assert is_loopback(Settings(listen=listen).listen)


def test_certificate_and_key_belong_together() -> None:
    assert "TASKWIRE_TLS_CERT_FILE" in _problems(TLS_CERT_FILE="c.pem")["TLS_KEY_FILE"]
    assert "TASKWIRE_TLS_KEY_FILE" in _problems(TLS_KEY_FILE="k.pem")["TLS_CERT_FILE"]


def test_heartbeat_fits_into_the_age_of_a_watch() -> None:
    assert set(_problems(HEARTBEAT_SECONDS="20", WATCH_AGE_SECONDS="10")) == {"HEARTBEAT_SECONDS"}


def test_contradictions_are_refused_in_code_too() -> None:
    with pytest.raises(SettingsError):
        Settings(listen="0.0.0.0:1")
    with pytest.raises(ValidationError):
        Settings(unknown=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://user:s3cret@host/db"),
        ("DATABASE_URL", "postgresql//user:s3cret@host/db"),
        ("DATABASE_URL", "user:s3cret"),
        ("NATS_URL", "http://s3cret@host"),
    ],
)
def test_secrets_are_not_in_messages(name, value) -> None:
    assert "s3cret" not in str(_problems(**{name: value}))


def test_secrets_are_hidden_where_settings_are_shown() -> None:
    settings = Settings(
        database_url="postgresql://user:s3cret@host:5432/db?sslmode=require&password=s3cret",
        nats_url=("nats://user:s3cret@a:4222", "nats://s3cret@b:4222"),
    )
    shown = settings.shown()

    assert shown["TASKWIRE_DATABASE_URL"] == "postgresql://user:***@host:5432/db?sslmode=require&password=***"
    assert shown["TASKWIRE_NATS_URL"] == "nats://***@a:4222,nats://***@b:4222"
    assert "s3cret" not in repr(settings)
    assert "s3cret" in settings.as_environment()["TASKWIRE_DATABASE_URL"]


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgresql://u:p@ss@host/db", "postgresql://u:***@host/db"),
        ("postgresql://u:p,s s@a,b/db", "postgresql://u:***@a,b/db"),
        ("postgresql://u@host/db?sslkey=k&sslpassword=p", "postgresql://u@host/db?sslkey=k&sslpassword=***"),
        ("postgresql://u@host/db?%70assword=p&sslkey=k%20", "postgresql://u@host/db?%70assword=***&sslkey=k%20"),
        ("postgresql://u@host/db", "postgresql://u@host/db"),
        ("nothing secret", "nothing secret"),
    ],
)
def test_hiding(text, hidden) -> None:
    assert hide_secrets(text) == hidden


def test_long_wrong_value_is_cut() -> None:
    assert len(_problems(LISTEN="x" * 10_000)["LISTEN"]) < 300


def test_addresses_are_split() -> None:
    assert split_address("[::1]:50051") == ("::1", 50051)
    assert split_address("localhost:0") == ("localhost", 0)


def test_names_of_queues_are_those_of_the_api() -> None:
    assert Settings(queues=("a" * limits.QUEUE_CHARS_MAX,))
    with pytest.raises(ValidationError):
        Settings(queues=("a" * (limits.QUEUE_CHARS_MAX + 1),))


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().listen = "127.0.0.1:1"


def test_load_reads_the_process(monkeypatch) -> None:
    for name in variables().values():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TASKWIRE_THREADS", "3")

    assert Settings.load().threads == 3

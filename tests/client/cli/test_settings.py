"""What the client commands take from the environment."""

import pytest

from taskwire.cli import settings
from taskwire_shared.settings import Settings


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch) -> None:
    for name in ("TASKWIRE_ADDRESS", "TASKWIRE_LISTEN", "TASKWIRE_METRICS_LISTEN"):
        monkeypatch.delenv(name, raising=False)


def test_defaults_are_those_of_the_service() -> None:
    assert settings.gateway_address() == settings.own_gateway_address() == Settings().address
    assert Settings().listen == settings.DEFAULT_ADDRESS
    assert settings.own_metrics_address() == ""


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("0.0.0.0:50051", "127.0.0.1:50051"),
        ("[::]:50051", "[::1]:50051"),
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("gateway:7", "gateway:7"),
    ],
)
def test_every_interface_is_called_by_the_loopback(monkeypatch, listen, address) -> None:
    monkeypatch.setenv("TASKWIRE_LISTEN", listen)
    monkeypatch.setenv("TASKWIRE_METRICS_LISTEN", listen)
    monkeypatch.setenv("TASKWIRE_ADDRESS", "elsewhere:1")

    assert settings.own_gateway_address() == settings.own_metrics_address() == address
    assert settings.gateway_address() == "elsewhere:1"

import socket

import pytest

from taskwire_dev.ports import LOOPBACK, PortBook, free_port, free_port_near, is_free


@pytest.fixture
def taken_port():
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_free_port_is_free_and_never_given_to_a_client():
    port = free_port()

    assert is_free(port)
    assert port < 32_768


def test_a_taken_port_is_replaced(taken_port):
    assert not is_free(taken_port)
    assert free_port_near(taken_port) != taken_port


def test_ports_of_the_other_protocol_are_known():
    with socket.socket(socket.AF_INET6) as listener:
        try:
            listener.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        listener.listen()

        assert not is_free(listener.getsockname()[1], "::1")
        assert is_free(free_port("::1"), "::1")


def test_there_is_no_port_above_the_last_one():
    assert not is_free(65_536)
    assert free_port_near(65_536) < 65_536


def test_a_wanted_port_is_taken_when_free():
    port = free_port()

    assert free_port_near(port) == port


def test_ports_are_remembered(tmp_path):
    PortBook(tmp_path / "ports.json").keep("nats", 4222)
    PortBook(tmp_path / "ports.json").keep("postgres", 5432)

    assert PortBook(tmp_path / "ports.json").recall("nats") == 4222
    assert PortBook(tmp_path / "ports.json").recall("postgres") == 5432
    assert PortBook(tmp_path / "ports.json").recall("gateway") is None


@pytest.mark.parametrize("garbage", ["", "[]", "{", '{"nats": "x"}', '{"nats": 0}', '{"nats": 70000}', "\x00\xff"])
def test_garbage_in_the_book_is_no_port(tmp_path, garbage):
    (tmp_path / "ports.json").write_text(garbage, encoding="latin-1")

    assert PortBook(tmp_path / "ports.json").recall("nats") is None
    PortBook(tmp_path / "ports.json").keep("nats", 4222)
    assert PortBook(tmp_path / "ports.json").recall("nats") == 4222

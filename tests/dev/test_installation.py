import socket

import pytest

from taskwire.client import Client
from taskwire_dev.data_folder import DataFolder
from taskwire_dev.failure import StartFailed
from taskwire_dev.installation import (
    Plan,
    _address,
    _as_reached,
    _next_address,
    _other_addresses,
    running,
    stop_seconds,
)
from taskwire_dev.ports import LOOPBACK, free_port
from taskwire_shared.settings import Settings

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def taken():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_usual_port_is_replaced_when_taken(taken):
    assert _address("", is_given=False, usual_port=taken) != f"127.0.0.1:{taken}"


def test_a_given_address_is_used_or_refused(taken):
    address = f"{LOOPBACK}:{free_port()}"

    assert _address(address, is_given=True, usual_port=1) == address
    with pytest.raises(StartFailed, match="is taken by another program"):
        _address(f"127.0.0.1:{taken}", is_given=True, usual_port=1)


def test_port_0_is_chosen_once():
    host, port = _address("127.0.0.1:0", is_given=True, usual_port=1).split(":")

    assert host == "127.0.0.1"
    assert int(port) > 0


def test_the_processor_has_its_metrics_next_to_those_of_the_gateway():
    usual = free_port()
    host, port = _next_address(f"{LOOPBACK}:{usual}").split(":")

    assert host == LOOPBACK
    assert int(port) != usual


def test_the_processor_has_its_metrics_elsewhere_when_those_of_the_gateway_have_the_last_port():
    host, port = _next_address("127.0.0.1:65535").split(":")

    assert host == "127.0.0.1"
    assert 0 < int(port) < 65535


def test_only_what_was_chosen_and_is_lost_is_chosen_again(taken):
    environment = {"TASKWIRE_LISTEN": f"127.0.0.1:{taken}", "TASKWIRE_METRICS_LISTEN": f"{LOOPBACK}:{free_port()}"}

    assert _other_addresses(set(), environment, "").keys() == {"TASKWIRE_LISTEN"}
    assert _other_addresses({"listen"}, environment, "") == {}


def test_what_was_taken_for_a_moment_is_chosen_again():
    free = f"{LOOPBACK}:{free_port()}"
    environment = {"TASKWIRE_LISTEN": free, "TASKWIRE_METRICS_LISTEN": f"{LOOPBACK}:{free_port()}"}

    assert _other_addresses(set(), environment, f"ListenError: cannot listen on {free}: in use").keys() == {
        "TASKWIRE_LISTEN"
    }


def test_stopping_may_take_both_graces():
    assert stop_seconds(Settings(grace_seconds=45)) > 90
    assert stop_seconds(Settings()) < 30


def test_an_address_for_everybody_is_reached_on_the_loopback():
    assert _as_reached("0.0.0.0:50051") == "127.0.0.1:50051"
    assert _as_reached("10.0.0.1:50051") == "10.0.0.1:50051"


async def test_it_runs_with_what_the_user_has_set(tmp_path):
    said = []
    given = {
        "TASKWIRE_DATABASE_URL": "postgresql://elsewhere/production",
        "TASKWIRE_NATS_PREFIX": "mine",
        "TASKWIRE_CONCURRENCY": "7",
        "FOR_HANDLERS": "yes",
    }
    plan = Plan(
        settings=Settings.from_environment(given),
        environ=given,
        folder=DataFolder(tmp_path),
        say=said.append,
        verbose=True,
    )
    with plan.folder.held():
        async with running(plan) as installation:
            async with Client(installation.address) as client:
                task = await client.create("echo", "hello")
                assert (await client.wait(task.id)).state.name == "SUCCEEDED"
            for service in (installation.gateway, installation.processor):
                assert service.environment["FOR_HANDLERS"] == "yes"
                assert service.environment["TASKWIRE_NATS_PREFIX"] == "mine"
                assert service.environment["TASKWIRE_CONCURRENCY"] == "7"
                assert "elsewhere" not in service.environment["TASKWIRE_DATABASE_URL"]
            assert installation.ready_line.startswith(f"taskwire ready grpc={installation.address} metrics=")

    assert "TASKWIRE_DATABASE_URL is ignored: this Taskwire has a Postgres and a NATS of its own." in said
    assert not installation.gateway.is_running
    assert not installation.processor.is_running

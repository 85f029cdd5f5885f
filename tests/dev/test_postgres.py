import os
import shutil
import signal
import socket

import asyncpg
import psutil
import pytest

from taskwire_dev import postgres as postgres_module
from taskwire_dev import server
from taskwire_dev.failure import StartFailed
from taskwire_dev.ports import LOOPBACK
from taskwire_dev.postgres import EmbeddedPostgres, Stop

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")


@pytest.fixture(scope="module")
async def cluster(tmp_path_factory):
    """Make one cluster, stopped; tests copy or restart it, which saves an initdb each."""
    folder = tmp_path_factory.mktemp("cluster")
    async with EmbeddedPostgres(folder) as running:
        await ask(running, "CREATE TABLE kept (value int)")
        await ask(running, "INSERT INTO kept VALUES (42)")
    return folder


async def ask(running, statement):
    connection = await asyncpg.connect(running.url("postgres"))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_data_outlives_the_server_and_the_port_stays(cluster):
    async with EmbeddedPostgres(cluster) as running:
        assert await ask(running, "SELECT value FROM kept") == 42
        port = running.port
    async with EmbeddedPostgres(cluster) as running:
        assert running.port == port


async def test_it_asks_for_the_password(cluster):
    async with EmbeddedPostgres(cluster) as running:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(running.url("postgres").replace(running.password, "guessed"))


async def test_it_is_durable(cluster):
    async with EmbeddedPostgres(cluster) as running:
        assert await ask(running, "SHOW fsync") == "on"
        assert await ask(running, "SHOW synchronous_commit") == "on"


async def test_it_recovers_after_an_immediate_stop_on_the_same_port(cluster):
    async with EmbeddedPostgres(cluster) as running:
        port = running.port
        await running.stop(Stop.IMMEDIATE)
        await running.start()
        assert running.port == port
        assert await ask(running, "SELECT value FROM kept") == 42


async def test_it_starts_after_everything_was_killed(cluster):
    async with EmbeddedPostgres(cluster) as running:
        running.child.send_to_all(signal.SIGKILL)
        await running.child.ended()
        assert (running.home / "postmaster.pid").exists()
        await running.start()
        assert await ask(running, "SELECT value FROM kept") == 42


async def test_a_pid_file_with_the_number_of_somebody_else_does_not_matter(cluster):
    (cluster / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster / 'data'}\n0\n0\n\n\n\n")

    async with EmbeddedPostgres(cluster) as running:
        assert await ask(running, "SELECT value FROM kept") == 42


async def test_an_orphan_is_stopped_before_its_data_is_opened_again(cluster, until_gone):
    orphan = EmbeddedPostgres(cluster)
    await orphan.start()
    orphan_process = psutil.Process(orphan.child.pid)

    async with EmbeddedPostgres(cluster) as running:
        await until_gone(orphan_process, seconds=0.1)
        assert await ask(running, "SELECT value FROM kept") == 42
    await orphan.stop()


async def test_a_port_that_was_taken_meanwhile_is_replaced(cluster):
    with socket.socket() as thief:
        async with EmbeddedPostgres(cluster) as running:
            port = running.port
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind((LOOPBACK, port))
        thief.listen()
        async with EmbeddedPostgres(cluster) as running:
            assert running.port != port


async def test_a_port_lost_between_choice_and_start_is_replaced(cluster, monkeypatch):
    with socket.socket() as thief:
        thief.bind((LOOPBACK, 0))
        thief.listen()
        choices = iter([thief.getsockname()[1]])
        real = server.free_port_near
        monkeypatch.setattr(server, "free_port_near", lambda wanted: next(choices, None) or real(None))
        async with EmbeddedPostgres(cluster) as running:
            assert running.port != thief.getsockname()[1]
            assert await ask(running, "SELECT value FROM kept") == 42


def rights(path):
    return [(above, above.stat().st_mode, above.stat().st_uid, above.stat().st_gid) for above in (path, *path.parents)]


async def test_no_folder_above_the_data_or_the_programs_changes(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True, mode=0o700)
    program = postgres_module._binary("postgres")
    before = rights(deep), rights(program)

    async with EmbeddedPostgres(deep / "postgres") as running:
        assert await ask(running, "SELECT 1") == 1

    assert (rights(deep), rights(program)) == before


@as_root
@pytest.mark.parametrize("identity", ["namespace", "nobody"])
async def test_root_has_two_ways_to_run_it_on_the_same_data(cluster, identity, monkeypatch):
    monkeypatch.setattr(postgres_module, "identities", lambda: (identity,))

    async with EmbeddedPostgres(cluster) as running:
        assert await ask(running, "SELECT value FROM kept") == 42


async def test_root_that_cannot_become_another_is_told_so(cluster, monkeypatch):
    async def refuse(self):
        raise postgres_module._CannotBecome(f"cannot become {self._identity}: Operation not permitted")

    monkeypatch.setattr(postgres_module, "identities", lambda: ("nobody", "namespace"))
    monkeypatch.setattr(EmbeddedPostgres, "_start_with_identity", refuse)

    with pytest.raises(StartFailed) as caught:
        await EmbeddedPostgres(cluster).start()

    assert "cannot become nobody" in str(caught.value)
    assert "cannot become namespace" in str(caught.value)
    assert "Start Taskwire as an ordinary user" in str(caught.value)


@pytest.mark.parametrize("damage", ["PG_VERSION", "global/pg_control"])
async def test_garbage_in_the_data_is_a_clear_message(cluster, tmp_path, damage):
    folder = tmp_path / "postgres"
    shutil.copytree(cluster, folder)
    (folder / "data" / damage).write_text("garbage")

    with pytest.raises(StartFailed, match=r"(?s)Postgres does not start\. Its log .*(FATAL|PANIC)"):
        await EmbeddedPostgres(folder).start()


async def test_a_lost_password_is_a_clear_message_later_not_a_crash_now(cluster, tmp_path):
    folder = tmp_path / "postgres"
    shutil.copytree(cluster, folder)
    (folder / "password").unlink()

    async with EmbeddedPostgres(folder) as running:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await ask(running, "SELECT 1")


async def test_half_a_cluster_is_made_anew(tmp_path):
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new" / "half").write_text("an initdb that was killed")

    async with EmbeddedPostgres(tmp_path) as running:
        assert await ask(running, "SELECT 1") == 1


async def test_a_file_in_place_of_the_folder_is_a_clear_message(tmp_path):
    (tmp_path / "postgres").write_text("")

    with pytest.raises(StartFailed, match=r"Postgres cannot use the folder .*postgres: File exists"):
        await EmbeddedPostgres(tmp_path / "postgres").start()


async def test_a_missing_wheel_is_a_clear_message(tmp_path, monkeypatch):
    monkeypatch.setattr(postgres_module, "_WHEEL", "no_such_wheel")

    with pytest.raises(StartFailed, match=r'from a clone: pip install "\.\[embedded\]"'):
        await EmbeddedPostgres(tmp_path).start()


async def test_a_foreign_process_on_the_port_keeps_it_from_starting_again(cluster, monkeypatch):
    monkeypatch.setattr(server, "_PORT_SECONDS", 0.1)
    async with EmbeddedPostgres(cluster) as running:
        await running.stop()
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            thief.bind((LOOPBACK, running.port))
            thief.listen()
            with pytest.raises(StartFailed, match="somebody has taken its port"):
                await running.start()

import asyncio
import json
import os
import sys
from collections.abc import Callable

import pytest

from taskwire_shared.settings import Settings
from taskwire_shared.verify import command

# A processor without an ear would be given time to get one.
NOBODY_LISTENS = "DELETE FROM processors"


async def taskwire_verify(
    settings: Settings, *arguments: str, stdout: int = asyncio.subprocess.PIPE
) -> tuple[int | None, str, str]:
    """Run the command as an operator does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys; from taskwire_shared.verify.command import main; sys.exit(main(sys.argv[1:]))",
        *arguments,
        env=settings.as_environment(),
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(50):
        out, err = await process.communicate()
    return process.returncode, (out or b"").decode(), err.decode()


async def test_healthy_system_exits_with_0_and_a_page(settings: Callable[..., Settings]) -> None:
    code, out, err = await taskwire_verify(settings())

    assert code == 0
    assert "Nothing is broken: 0 tasks, 0 keys" in out
    assert not err


async def test_wounded_system_exits_with_3_and_says_where(life, hurt, settings: Callable[..., Settings]) -> None:
    fence = await life.run()
    await life.succeed(fence)
    await hurt(NOBODY_LISTENS, f"DELETE FROM task_events WHERE task_id = '{fence.task_id}' AND version = 2")

    code, out, _ = await taskwire_verify(settings())

    assert code == 3
    assert f"BROKEN   {fence.task_id}  version 3 comes after 1" in out


async def test_json_is_for_programs(life, hurt, settings: Callable[..., Settings]) -> None:
    fence = await life.run()
    await life.succeed(fence)
    await hurt(NOBODY_LISTENS, f"UPDATE tasks SET version = 9 WHERE id = '{fence.task_id}'")

    code, out, _ = await taskwire_verify(settings(), "--json", "--days", "2", "--seconds", "60")

    report = json.loads(out)
    assert code == 3
    assert not report["sound"]
    assert report["complete"]
    assert report["tasks"] == 1
    (broken,) = [check for check in report["checks"] if check["violations"]]
    assert broken["check"] == "versions"
    assert broken["promise"] == "P6"
    assert broken["shown"][0] == {
        "subject": str(fence.task_id),
        "detail": "the row is not its last version, 3, in version",
        "warning": False,
    }


@pytest.mark.parametrize("arguments", [[], ["--json"]])
async def test_reader_that_has_left_changes_no_verdict(
    life, hurt, settings: Callable[..., Settings], arguments
) -> None:
    fence = await life.run()
    await life.succeed(fence)
    await hurt(NOBODY_LISTENS, f"UPDATE tasks SET version = 9 WHERE id = '{fence.task_id}'")
    reading, writing = os.pipe()
    os.close(reading)

    code, _, err = await taskwire_verify(settings(), *arguments, stdout=writing)
    os.close(writing)

    assert (code, err) == (3, "")


async def test_full_disk_changes_no_verdict(life, hurt, settings: Callable[..., Settings]) -> None:
    fence = await life.run()
    await life.succeed(fence)
    await hurt(NOBODY_LISTENS, f"UPDATE tasks SET version = 9 WHERE id = '{fence.task_id}'")
    full = os.open("/dev/full", os.O_WRONLY)

    code, _, err = await taskwire_verify(settings(), stdout=full)
    os.close(full)

    assert (code, err) == (3, "taskwire verify: [Errno 28] No space left on device\n")


async def test_database_that_is_away_exits_with_1(settings: Callable[..., Settings]) -> None:
    code, out, err = await taskwire_verify(settings(database_url="postgresql://nobody:secret@127.0.0.1:1/none"))

    assert code == 1
    assert not out
    assert "postgresql://nobody:***@127.0.0.1:1/none does not answer" in err
    assert "secret" not in err


async def test_database_of_something_else_exits_with_1(settings: Callable[..., Settings], postgres) -> None:
    code, _, err = await taskwire_verify(settings(database_url=postgres.url("postgres")))

    assert code == 1
    assert "taskwire migrate" in err


def test_settings_that_are_wrong_exit_with_2(monkeypatch, capsys) -> None:
    monkeypatch.setenv("TASKWIRE_DATABASE_URL", "mysql://somewhere")

    assert command.main([]) == 2
    assert "TASKWIRE_DATABASE_URL" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--days", "0"], ["--seconds", "soon"], ["everything"]])
def test_line_that_is_wrong_exits_with_2(arguments, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--days", "--seconds"])
@pytest.mark.parametrize("number", ["0", "-1", "soon", "1.5"])
def test_count_that_is_none_is_said_in_words(option, number, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main([f"{option}={number}"])
    assert f"{option}: must be a whole number of at least 1" in capsys.readouterr().err

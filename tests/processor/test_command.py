"""`taskwire processor`."""

import os
import subprocess
import sys

from taskwire_processor.command import main


def _run(**variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **{f"TASKWIRE_{name.upper()}": value for name, value in variables.items()}}
    return subprocess.run(
        [sys.executable, "-m", "taskwire_processor"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_wrong_settings_end_the_start_with_a_list(monkeypatch, capsys):
    monkeypatch.setenv("TASKWIRE_CONCURRENCY", "none")
    monkeypatch.setenv("TASKWIRE_PROCESES", "1")

    assert main([]) == 2
    said = capsys.readouterr().err
    assert "TASKWIRE_CONCURRENCY" in said
    assert "TASKWIRE_PROCESSES?" in said


def test_handlers_that_cannot_be_loaded_are_named(database_url):
    ended = _run(database_url=database_url, handlers="no_such_module")

    assert ended.returncode == 1
    assert "No module named 'no_such_module'" in ended.stderr
    assert "ready" not in ended.stdout


async def test_ready_line_and_clean_end(service, db):
    one = await service()
    processor = await db.fetchval("SELECT id FROM processors")
    exit_code = await one.stop()

    assert one.ready.id == str(processor)
    assert exit_code == 0
    assert await db.fetchval("SELECT count(*) FROM processors") == 0

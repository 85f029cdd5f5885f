"""`taskwire gateway` as a process."""

import asyncio
import os
import signal
import sys

import pytest

SECONDS = 30


async def _start(**environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TASKWIRE_")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "taskwire_gateway",
        env={**clean, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _end(process):
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_a_wrong_setting_stops_the_start():
    code, out, err = await _end(await _start(TASKWIRE_LISTEN="nowhere"))
    assert (code, out) == (2, "")
    assert "TASKWIRE_LISTEN" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_where_it_serves_and_ends_when_told(settings, number):
    process = await _start(**settings(metrics_listen="127.0.0.1:0", grace_seconds=2).as_environment())
    async with asyncio.timeout(SECONDS):
        line = (await process.stdout.readline()).decode()
    assert line.startswith("taskwire gateway ready grpc=127.0.0.1:")
    assert " metrics=127.0.0.1:" in line
    process.send_signal(number)
    code, out, err = await _end(process)
    assert (code, out) == (0, ""), err
    assert "Traceback" not in err


async def test_an_empty_database_is_said_in_a_line(settings, postgres):
    empty = settings(database_url=postgres.url("postgres"))
    code, out, err = await _end(await _start(**empty.as_environment()))
    assert (code, out) == (1, "")
    assert "taskwire migrate" in err
    assert "Traceback" not in err

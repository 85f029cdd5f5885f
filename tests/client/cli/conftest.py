"""Running a command against the scripted gateway, in a thread, as it has a loop of its own."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest

from taskwire.cli import main as entry


class Ran(NamedTuple):
    """What a command has left behind."""

    code: int
    out: str
    err: str

    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def run(gateway, monkeypatch, capsys) -> Callable[..., Awaitable[Ran]]:
    monkeypatch.setenv("TASKWIRE_ADDRESS", gateway.address)

    async def run(*argv: str) -> Ran:
        code = await asyncio.to_thread(entry.main, argv)
        return Ran(code, *capsys.readouterr())

    return run

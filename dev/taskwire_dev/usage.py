"""How to use an installation: lines to copy into a shell in this folder."""

import json
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from taskwire_dev.installation import GRPC_PORT
from taskwire_dev.ports import LOOPBACK
from taskwire_shared.domain.task import DEFAULT_QUEUE

_SERVICE = "taskwire.v1.TaskService"
_ONE = '{"task_id": "PUT-THE-ID-HERE"}'
_AUTHORITY = "PUT-THE-CA-FILE-HERE"
"""Which authority has signed a certificate does not follow from it."""


class Usage:
    """Knows the address, what is served there, and in which queue."""

    def __init__(self, address: str, types: Sequence[str], *, queue: str = DEFAULT_QUEUE, tls: bool = False) -> None:
        self._address = address
        self._queue = queue
        self._tls = tls
        self._example = _example(types)

    def lines(self) -> list[str]:
        """Return what to type to create a task and to follow it, in three ways."""
        return [
            "",
            "With grpcurl:",
            *self._with_grpcurl(),
            "With buf:",
            *self._with_buf(),
            "With taskwire:",
            *self._with_taskwire(),
        ]

    def _with_grpcurl(self) -> list[str]:
        grpcurl = f"grpcurl -cacert {_AUTHORITY}" if self._tls else "grpcurl -plaintext"
        return [
            f"  {grpcurl} {self._address} list",
            f"  {grpcurl} -d {self._task} {self._address} {_SERVICE}/CreateTask",
            f"  {grpcurl} -d '{_ONE}' {self._address} {_SERVICE}/WatchTask",
            f"  {grpcurl} -d '{_ONE}' {self._address} {_SERVICE}/CancelTask",
        ]

    def _with_buf(self) -> list[str]:
        options = f"--cacert {_AUTHORITY}" if self._tls else "--http2-prior-knowledge"
        buf = f"{_command('buf')} curl --protocol grpc {options}"
        url = f"{'https' if self._tls else 'http'}://{self._address}/{_SERVICE}"
        return [f"  {buf} -d {self._task} {url}/CreateTask", f"  {buf} -d '{_ONE}' {url}/WatchTask"]

    def _with_taskwire(self) -> list[str]:
        taskwire = _command("taskwire")
        if self._address != f"{LOOPBACK}:{GRPC_PORT}":
            taskwire = f"TASKWIRE_ADDRESS={self._address} {taskwire}"
        options = f" --ca-file {_AUTHORITY}" if self._tls else ""
        words = [self._example["type"], *([self._example["input"]["text"]] if "input" in self._example else [])]
        queue = "" if self._queue == DEFAULT_QUEUE else f" --queue {shlex.quote(self._queue)}"
        return [
            f"  {taskwire} create{options}{queue} {shlex.join(words)}",
            f"  {taskwire} list{options}",
            f"  {taskwire} watch{options} PUT-THE-ID-HERE",
            f"  {taskwire} cancel{options} PUT-THE-ID-HERE",
        ]

    @property
    def _task(self) -> str:
        return shlex.quote(json.dumps({"task": {"queue": self._queue, **self._example}}))


def _example(types: Sequence[str]) -> dict[str, Any]:
    """Return a task that somebody runs. What a handler of the user takes is not known: its input is left out."""
    if "sleep" in types or not types:
        return {"type": "sleep", "input": {"text": '{"seconds": 2}'}}
    return {"type": min(types)}


def _command(name: str) -> str:
    """Return how to call a program that was installed with this one, as short as possible from here."""
    if shutil.which(name):
        return name
    path = Path(sys.executable).parent / name
    if not path.exists():
        return name
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))

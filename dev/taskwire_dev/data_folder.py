"""The folder in which everything of one installation lives, used by one process at a time."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from taskwire_dev.failure import StartFailed

STOP_SECONDS = 20.0
"""How long the holder may take to stop, unless it has said otherwise."""
_POLL_SECONDS = 0.05
_PRIVATE = 0o700


class DataFolder:
    """A data folder and its parts."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def postgres(self) -> Path:
        """Return the folder of the embedded Postgres."""
        return self.path / "postgres"

    @property
    def nats(self) -> Path:
        """Return the folder of the embedded NATS."""
        return self.path / "nats"

    @property
    def logs(self) -> Path:
        """Return the folder of the logs of gateway and processor."""
        return self.path / "logs"

    @property
    def ports(self) -> Path:
        """Return the file with the ports of the last time."""
        return self.path / "ports.json"

    @contextmanager
    def held(self, stop_seconds: float = STOP_SECONDS) -> Iterator[None]:
        """Make the folder where it is missing and keep everybody else out. Raises StartFailed.

        Whoever stops this process waits for it for `stop_seconds`.
        """
        try:
            self._make()
            descriptor = os.open(self._pid_file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StartFailed(f"The data folder {self.path} cannot be used: {error.strerror}.") from error
        try:
            self._lock(descriptor, stop_seconds)
            yield
        finally:
            os.close(descriptor)

    def stop_holder(self) -> bool:
        """Stop the process that holds the folder and wait for its end. False when there is none."""
        pid = self._holder()
        if pid is None:
            return False
        patience = self._written_patience()
        _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + patience
        while self._holder() == pid:
            if time.monotonic() > deadline:
                raise StartFailed(
                    f"Taskwire (process {pid}) has not stopped within {patience:.0f} s. "
                    f"kill -9 {pid} ends it with all it started."
                )
            time.sleep(_POLL_SECONDS)
        return True

    @property
    def _pid_file(self) -> Path:
        return self.path / "dev.pid"

    def _make(self) -> None:
        self.path.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        self.logs.mkdir(mode=_PRIVATE, exist_ok=True)

    def _lock(self, descriptor: int, stop_seconds: float) -> None:
        if not _take(descriptor):
            raise StartFailed(
                f"Taskwire runs in {self.path} already (process {self._written_pid() or 'unknown'}). "
                "Stop it with `taskwire dev --stop`, or set TASKWIRE_DATA_DIR to another folder."
            )
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n{stop_seconds:g}\n".encode())
        except OSError as error:
            raise StartFailed(f"The data folder {self.path} cannot be used: {error.strerror}.") from error

    def _holder(self) -> int | None:
        """Return the process that holds the folder: the number in the file counts only while it is locked."""
        try:
            descriptor = os.open(self._pid_file, os.O_RDWR)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StartFailed(f"The data folder {self.path} cannot be used: {error.strerror}.") from error
        try:
            return None if _take(descriptor) else self._written_pid()
        finally:
            os.close(descriptor)

    def _written_pid(self) -> int | None:
        with suppress(OSError, ValueError, IndexError):
            return int(self._pid_file.read_text().split()[0])
        return None

    def _written_patience(self) -> float:
        with suppress(OSError, ValueError, IndexError):
            return float(self._pid_file.read_text().split()[1])
        # Of a release before this one.
        return STOP_SECONDS


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise StartFailed(f"Taskwire (process {pid}) belongs to another user and cannot be stopped.") from error

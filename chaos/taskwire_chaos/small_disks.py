"""Small file systems that can be filled, in a mount namespace of our own: they end with this process, whatever ends it.

Only root may make them.
"""

import ctypes
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

_CLONE_NEWNS = 0x00020000
MEBIBYTE = 1024**2
_CRUMB_BYTES = 512
"""At the end a file is filled in pieces of this size: less than that is no room for anybody."""


class SmallDisk:
    """A mounted file system with little room."""

    def __init__(self, folder: Path, kind: str, mebibytes: int) -> None:
        self.folder = folder
        self.kind = kind
        self.mebibytes = mebibytes

    def __str__(self) -> str:
        return f"{self.mebibytes} MiB of {self.kind}"

    def fill(self) -> None:
        """Leave no room at all."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (MEBIBYTE, 4096, _CRUMB_BYTES):
                with suppress(OSError):
                    while file.write(b"\xff" * size) == size:
                        pass

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"


def separate() -> bool:
    """Give this process and its children mounts of their own. Tells whether they may mount anything."""
    library = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or library.unshare(_CLONE_NEWNS) != 0:
        return False
    # Nothing that is mounted here is to be seen outside.
    return _runs("mount", "--make-rprivate", "/")


def mount_small(folder: Path, mebibytes: int) -> SmallDisk | None:
    """Mount an empty file system on `folder`, or return None where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return None
    image = folder.with_name(f"{folder.name}.image")
    with image.open("wb") as file:
        file.truncate(mebibytes * MEBIBYTE)
    # One that has to be written to a disk comes first: fsync is then what it is elsewhere.
    if _runs("mkfs.ext4", "-q", "-F", "-m", "0", image) and _runs("mount", "-o", "loop", image, folder):
        return SmallDisk(folder, "ext4", mebibytes)
    image.unlink()
    if _runs("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", folder):
        return SmallDisk(folder, "tmpfs", mebibytes)
    return None


def unmount(disk: SmallDisk) -> None:
    """Take it away with all that is on it."""
    _runs("umount", "-l", disk.folder)
    disk.folder.with_name(f"{disk.folder.name}.image").unlink(missing_ok=True)


def _runs(program: str, *arguments: str | Path) -> bool:
    path = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin{os.pathsep}/sbin")
    if path is None:
        return False
    return subprocess.run([path, *map(str, arguments)], check=False, capture_output=True).returncode == 0  # noqa: S603

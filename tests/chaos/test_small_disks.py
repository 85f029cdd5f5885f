"""A small disk can be filled to the last byte, and has room again."""

import subprocess
import sys
from pathlib import Path

import pytest

CHAOS = Path(__file__).resolve().parents[2] / "chaos"
# In a process of its own, which keeps its mounts to itself.
FILL = """
import sys
from pathlib import Path
from taskwire_chaos.small_disks import mount_small, separate, unmount
disk = mount_small(Path(sys.argv[1]), 16) if separate() else None
if disk is None:
    sys.exit(77)
disk.fill()
try:
    (disk.folder / "more").write_bytes(b"x")
except OSError:
    pass
else:
    sys.exit(1)
disk.free()
(disk.folder / "more").write_bytes(b"x" * 1024)
unmount(disk)
"""


def test_a_small_disk_is_full_until_it_is_freed(tmp_path: Path) -> None:
    program = [sys.executable, "-c", FILL, str(tmp_path / "disk")]
    ended = subprocess.run(program, env={"PYTHONPATH": str(CHAOS)}, check=False, timeout=50)
    if ended.returncode == 77:
        pytest.skip("nothing may be mounted here")

    assert ended.returncode == 0
    assert list((tmp_path / "disk").iterdir()) == []

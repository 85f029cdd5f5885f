"""Counts executions in a file of the process's own: 8 bytes of count, 8 bytes of the moment of the newest one."""

import mmap
import os
import struct
import threading
import time
from pathlib import Path

_CELL = struct.Struct("<qq")
_FOLDER = Path(os.environ["PEER_TALLY"])
_lock = threading.Lock()
_files: dict[int, mmap.mmap] = {}
_counts: dict[int, int] = {}


def measure(payload: str) -> int:
    """Do the work of every peer's handler: return the length of the payload."""
    pid = os.getpid()
    with _lock:
        if pid not in _files:
            # A worker that was forked after this module was imported needs a file of its own.
            _files[pid], _counts[pid] = _open(pid), 0
        _counts[pid] += 1
        _CELL.pack_into(_files[pid], 0, _counts[pid], time.time_ns())
    return len(payload)


def _open(pid: int) -> mmap.mmap:
    path = _FOLDER / f"{pid}.cell"
    path.write_bytes(bytes(_CELL.size))
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), _CELL.size)

"""The benchmark is not part of the wheel: its folder is put on the path for its own tests only."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

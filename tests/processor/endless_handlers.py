"""A module that takes for ever to import."""

import os
import threading
from pathlib import Path

(Path(os.environ["MEETING"]) / "loading").touch()
threading.Event().wait()
